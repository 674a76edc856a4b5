"""Parks records that can never be applied, with their bytes, key and headers, where people can look at them.

Never drops one: the position moves only after the broker has acknowledged the letter. A flood of bad records stops the
consumer instead of emptying the topic. `python -m consumers.dead_letters` shows them and sends them again.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Protocol

import msgspec
import structlog
from aiokafka.errors import InvalidTimestampError, MessageSizeTooLargeError, RecordListTooLargeError

from consumers.errors import Flood
from consumers.letters.command import main
from consumers.letters.letter import whose
from consumers.letters.parking import SIZE_LIMITS, SizeLimit, parcel
from consumers.metrics import Metrics
from consumers.reading.flawed import FlawedRecord
from consumers.types import Letter
from service.lru import Lru

log = structlog.get_logger()

LETTERS_REMEMBERED = 100_000
"""Letters known by their place, some 200 bytes each: as many as one poll may bring, so that none is counted again when
it is read again."""


class Producer(Protocol):
    """What is needed of aiokafka's producer."""

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        *,
        timestamp_ms: int | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> "asyncio.Future[object]":
        """Queues a record; the future is done when it is acknowledged."""


class FloodGuard:
    """Watches the share of bad records. Limits: `in_a_row`, or `share` of the last `window` records."""

    def __init__(self, in_a_row: int, window: int, share: float) -> None:
        self._in_a_row = in_a_row
        self._limit = share * window
        self._last: deque[bool] = deque(maxlen=window)
        self._bad = 0
        self._run = 0

    def good(self, records: int = 1) -> None:
        """So many records were fine."""
        if records:
            self._run = 0
        if self._bad:
            for _ in range(records):
                self._push(False)
        else:  # the usual case: nothing that could leave the window
            self._last.extend(repeat(False, records))

    def bad(self) -> None:
        """One record was bad. Raises Flood when that was one too many."""
        self._run += 1
        self._push(True)
        if self._run >= self._in_a_row:
            raise Flood(f"{self._run} bad records in a row")
        if len(self._last) == self._last.maxlen and self._bad >= self._limit:
            raise Flood(f"{self._bad} of the last {len(self._last)} records were bad")

    def _push(self, bad: bool) -> None:
        if len(self._last) == self._last.maxlen:
            self._bad -= self._last[0]
        self._last.append(bad)
        self._bad += bad


_Place = tuple[str, int, int]
"""Topic, partition and offset of the record."""


class _UnderWay(msgspec.Struct):
    """A letter that isn't acknowledged yet, and how it was sent last."""

    place: _Place
    letter: Letter
    reason: str
    limits: Iterator[SizeLimit]
    sent: "asyncio.Future[object]"
    limit: SizeLimit = SIZE_LIMITS[0]
    restamped: bool = False


class DeadLetters:
    """Sends letters to the dead-letter topic: whole, or as much of each as the topic takes.

    One that is read again counts once, and is sent again only where it wasn't acknowledged.
    """

    def __init__(
        self, producer: Producer, topic: str, metrics: Metrics, guard: FloodGuard, catalogue_topic: str = ""
    ) -> None:
        """`topic` takes the letters; records of `catalogue_topic` are entries, of any other one events."""
        self._catalogue_topic = catalogue_topic
        self._producer = producer
        self._topic = topic
        self._metrics = metrics
        self._guard = guard
        self._unacknowledged: list[_UnderWay] = []
        self._acknowledged: Lru[_Place, bool] = Lru(LETTERS_REMEMBERED)
        """Whether it is, of each that was counted."""

    def good(self, records: int = 1) -> None:
        """So many records were fine."""
        self._guard.good(records)

    async def park(self, letter: Letter, reason: str) -> None:
        """Queues a letter; it is safe only after `acknowledged`. Raises Flood."""
        place = letter.topic, letter.partition, letter.offset
        acknowledged = self._acknowledged.get(place)
        if acknowledged:
            return
        if acknowledged is None:
            self._count(place, letter, reason)
        sent = await self._send(letter, reason, SIZE_LIMITS[0])
        self._unacknowledged.append(_UnderWay(place, letter, reason, iter(SIZE_LIMITS[1:]), sent))

    def _count(self, place: _Place, letter: Letter, reason: str) -> None:
        self._guard.bad()
        self._acknowledged.put(place, False)
        topic, partition, offset = place
        named = whose(letter.key, letter.value, letter.headers, of_catalogue=topic == self._catalogue_topic)
        log.warning(
            "dead letter",
            reason=reason,
            tenant=named.tenant or None,
            ticket=named.ticket or None,
            topic=topic,
            partition=partition,
            offset=offset,
        )
        self._metrics.dead_letters.inc()

    async def acknowledged(self) -> None:
        """Waits until every letter is with the broker. Raises aiokafka's KafkaError when one isn't."""
        waiting, self._unacknowledged = self._unacknowledged, []
        for one in waiting:
            while not await self._is_taken(one):
                one.sent = await self._send(one.letter, one.reason, one.limit, restamped=one.restamped)
            self._acknowledged.put(one.place, True)

    async def _is_taken(self, one: _UnderWay) -> bool:
        """False where it has to be sent again, as `one` says now."""
        try:
            await one.sent
        except (MessageSizeTooLargeError, RecordListTooLargeError):
            smaller = next(one.limits, None)
            if smaller is None:
                raise
            one.limit = smaller
        except InvalidTimestampError:
            if one.restamped:
                raise
            one.restamped = True
        else:
            return True
        return False

    async def _send(
        self, letter: Letter, reason: str, limit: SizeLimit, *, restamped: bool = False
    ) -> "asyncio.Future[object]":
        of_batch = isinstance(letter, FlawedRecord) and letter.of_batch
        sent = parcel(letter, reason, limit, of_batch=of_batch, restamped=restamped)
        timestamp = None if restamped else letter.timestamp
        try:
            return await self._producer.send(
                self._topic, sent.value, sent.key, timestamp_ms=timestamp, headers=sent.headers
            )
        except MessageSizeTooLargeError as error:  # by the client, before anything was sent
            refused: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
