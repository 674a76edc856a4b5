"""Parks records that can never be applied, with their bytes, key and headers, where people can look at them.

Never drops one: the position moves only after the broker has acknowledged the letter. A flood of bad records stops the
consumer instead of emptying the topic. `python -m consumers.dead_letters` shows them and sends them again.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from functools import partial
from itertools import repeat
from typing import Protocol

import structlog
from aiokafka.errors import InvalidTimestampError, KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from consumers.dead_letters.letter import whose
from consumers.dead_letters.packing import SIZE_LIMITS, SizeLimit, parcel
from consumers.errors import Flood
from consumers.fetching.flawed import FlawedRecord
from consumers.fetching.large import LARGE_BYTES, beside_the_loop
from consumers.metrics import ConsumerMetrics
from consumers.types import Letter, Place
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


class DeadLetters:
    """Sends letters to the dead-letter topic: whole, or as much of each as the topic takes.

    One that is read again counts once, and is sent again only where it wasn't acknowledged.
    """

    def __init__(
        self, producer: Producer, topic: str, metrics: ConsumerMetrics, guard: FloodGuard, catalogue_topic: str = ""
    ) -> None:
        """`topic` takes the letters; records of `catalogue_topic` are entries, of any other one events."""
        self._catalogue_topic = catalogue_topic
        self._producer = producer
        self._topic = topic
        self._metrics = metrics
        self._guard = guard
        self._under_way: dict[Place, asyncio.Task[None]] = {}
        """Letters that aren't acknowledged yet; one that failed stays until `acknowledged` has said so."""
        self._acknowledged: Lru[Place, bool] = Lru(LETTERS_REMEMBERED)
        """Whether it is, of each that was counted."""

    def good(self, records: int = 1) -> None:
        """So many records were fine."""
        self._guard.good(records)

    async def park(self, letter: Letter, reason: str) -> Place:
        """Sends a letter; it is safe only once `has` or `acknowledged` says so of its place. Raises Flood."""
        place = letter.topic, letter.partition, letter.offset
        acknowledged = self._acknowledged.get(place)
        if acknowledged:
            return place
        if acknowledged is None:
            self._count(place, letter, reason)
        under_way = self._under_way.get(place)
        if under_way is None or under_way.done():
            sending = self._under_way[place] = asyncio.create_task(self._deliver(place, letter, reason))
            sending.add_done_callback(_heard)
            await asyncio.sleep(0)  # it is on its way before the next one
        return place

    def _count(self, place: Place, letter: Letter, reason: str) -> None:
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

    def has(self, places: Collection[Place]) -> bool:
        """Whether all letters with these places are with the broker."""
        return all(self._acknowledged.get(place) for place in places)

    async def acknowledged(self, places: Collection[Place] | None = None) -> None:
        """Waits until these letters, or all, are with the broker. Raises aiokafka's KafkaError when one isn't.

        Whoever shares this object with others names its own.
        """
        named = [*self._under_way] if places is None else places
        waiting = {place: self._under_way[place] for place in named if place in self._under_way}
        if waiting:
            await asyncio.wait(waiting.values())
        failures = [one.exception() for one in waiting.values() if not one.cancelled()]
        for place, sending in waiting.items():
            if self._under_way.get(place) is sending:
                del self._under_way[place]
        for failure in failures:
            if failure is not None:
                raise failure
        if not self.has(named):
            raise KafkaError("a dead letter was not sent")

    def close(self) -> None:
        """Waits for no letter any more."""
        for sending in self._under_way.values():
            sending.cancel()
        self._under_way.clear()

    async def _deliver(self, place: Place, letter: Letter, reason: str) -> None:
        """Returns once it is with the broker, or as much of it as the topic takes. Raises aiokafka's KafkaError."""
        limits, restamped = iter(SIZE_LIMITS), False
        limit = next(limits)
        while True:
            try:
                await (await self._send(letter, reason, limit, restamped=restamped))
            except (MessageSizeTooLargeError, RecordListTooLargeError):
                smaller = next(limits, None)
                if smaller is None:
                    raise
                limit = smaller
            except InvalidTimestampError:
                if restamped:
                    raise
                restamped = True
            else:
                break
        self._acknowledged.put(place, True)
        self._under_way.pop(place, None)

    async def _send(
        self, letter: Letter, reason: str, limit: SizeLimit, *, restamped: bool = False
    ) -> "asyncio.Future[object]":
        of_batch = isinstance(letter, FlawedRecord) and letter.of_batch
        pack = partial(parcel, letter, reason, limit, of_batch=of_batch, restamped=restamped)
        is_large = len(letter.value or b"") + len(letter.key or b"") > LARGE_BYTES  # they may have to be hashed
        sent = await beside_the_loop(pack) if is_large else pack()
        timestamp = None if restamped else letter.timestamp
        return await self._producer.send(
            self._topic, sent.value, sent.key, timestamp_ms=timestamp, headers=sent.headers
        )


def _heard(sending: "asyncio.Task[None]") -> None:
    """A failure that nobody asks for any more is said by no warning: its record is read and parked again."""
    if not sending.cancelled():
        sending.exception()
