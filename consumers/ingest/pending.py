"""Records that were taken from the client and aren't applied yet, by partition.

A partition with dead letters that aren't acknowledged waits here, alone: its position stays below them, nothing more is
taken from it, and the other partitions go on.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence

import msgspec
from aiokafka import TopicPartition

from consumers.engine.batch_processor import BatchProcessor, DecodedBatch
from consumers.fetching.batches import HEADER_COST, RECORD_COST, Read
from service.store.ports.catalogue import Position

MOST_BYTES = 32 * 1024 * 1024
"""Of what waits in all partitions together. Beyond it nothing is taken from any partition until some of it is applied;
below it a poll takes as much less."""


class _Part(msgspec.Struct):
    """What waits of one partition."""

    records: Sequence[Read]
    end: Position
    """The position after all records."""
    done: int = 0
    """How many of the records are applied or sorted."""
    decoded: DecodedBatch | None = None
    letters: "asyncio.Future[None] | None" = None
    """Ends once the dead letters among what is sorted are acknowledged, or can't be."""
    bytes: int = 0


class Pending:
    """Of one loop, which alone puts in and takes out."""

    def __init__(self, processor: BatchProcessor) -> None:
        self._processor = processor
        self._dead_letters = processor.dead_letters
        self._parts: dict[TopicPartition, _Part] = {}

    def __contains__(self, tp: object) -> bool:
        return tp in self._parts

    def __bool__(self) -> bool:
        return bool(self._parts)

    @property
    def bytes(self) -> int:
        """What it takes of this process, about."""
        return sum(part.bytes for part in self._parts.values())

    def position(self, tp: TopicPartition) -> Position | None:
        """The offset below which everything of a partition is applied; None where nothing of it waits."""
        part = self._parts.get(tp)
        if part is None:
            return None
        return part.records[part.done].offset if part.decoded is None else part.decoded.first

    def add(self, tp: TopicPartition, records: Sequence[Read], end: Position) -> None:
        """Takes what a poll gave of a partition; `end` is the position after it."""
        self._forget(tp)
        self._parts[tp] = _Part(records, end)

    def keep(self, ready: Collection[TopicPartition]) -> None:
        """Forgets the records of all other partitions: whoever has those partitions reads them again."""
        for tp in self._parts.keys() - set(ready):
            self._forget(tp)

    async def decode(self) -> None:
        """Decodes the next records of each partition that has none decoded. Raises Flood."""
        for tp, part in [*self._parts.items()]:
            if part.decoded is not None:
                continue
            part.decoded = await self._processor.decoded_by_bucket(tp.partition, part.records[part.done :], part.end)
            part.done += part.decoded.records
            if not self._dead_letters.has(part.decoded.letters):
                part.letters = asyncio.ensure_future(self._dead_letters.acknowledged(part.decoded.letters))
                part.letters.add_done_callback(_heard)

    def take(self) -> Mapping[TopicPartition, DecodedBatch]:
        """Takes out what may be applied now: its dead letters are acknowledged."""
        taken: dict[TopicPartition, DecodedBatch] = {}
        for tp, part in [*self._parts.items()]:
            if part.decoded is not None and (part.letters is None or _is_good(part.letters)):
                taken[tp], part.decoded, part.letters = part.decoded, None, None
                if part.done == len(part.records):
                    del self._parts[tp]
                    continue
            part.bytes = part.bytes or sum(map(_size, part.records))
        return taken

    def check(self) -> None:
        """Raises aiokafka's KafkaError where a dead letter wasn't acknowledged."""
        for part in self._parts.values():
            if part.letters is not None and part.letters.done():
                part.letters.result()

    async def wait(self) -> None:
        """Until `take` or `check` has something to say of what waits now, or something is to be sorted."""
        letters = [part.letters for part in self._parts.values() if part.letters is not None]
        if len(letters) == len(self._parts):
            await asyncio.wait(letters, return_when=asyncio.FIRST_COMPLETED)

    def _forget(self, tp: TopicPartition) -> None:
        part = self._parts.pop(tp, None)
        if part is not None and part.letters is not None:
            part.letters.cancel()


def _heard(letters: "asyncio.Future[None]") -> None:
    """A failure of what was forgotten meanwhile is nobody's."""
    if not letters.cancelled():
        letters.exception()


def _is_good(letters: "asyncio.Future[None]") -> bool:
    return letters.done() and not letters.cancelled() and letters.exception() is None


def _size(record: Read) -> int:
    headers = sum(HEADER_COST + len(content or b"") for _, content in record.headers)
    return RECORD_COST + len(record.key or b"") + len(record.value or b"") + headers
