"""Parks records that can never be applied, with their bytes, key and headers, where people can look at them.

Never drops one: the position moves only after the broker has acknowledged the letter. A flood of bad records stops the
consumer instead of emptying the topic. `python -m consumers.dead_letters` shows them and sends them again.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Sequence
from itertools import repeat
from typing import Protocol

import structlog

from consumers.letters.command import main
from consumers.letters.letter import whose
from consumers.metrics import Metrics
from service.lru import Lru

log = structlog.get_logger()

REASON_BYTES = 1000
"""Longest reason in a header: enough to point at any node, small beside a record."""


LETTERS_REMEMBERED = 100_000
"""Letters known by their place, some 200 bytes each: as many as one poll may bring, so that none is counted again when
it is read again."""


class Letter(Protocol):
    """A record as it was read; aiokafka's ConsumerRecord is one."""

    @property
    def topic(self) -> str:
        """Where it was read."""

    @property
    def partition(self) -> int:
        """Where it was read."""

    @property
    def offset(self) -> int:
        """Where it was read."""

    @property
    def key(self) -> bytes | None:
        """As it was written."""

    @property
    def value(self) -> bytes | None:
        """As it was written."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """As they were written."""

    @property
    def timestamp(self) -> int:
        """Kafka's, in milliseconds."""


class Flood(Exception):
    """Too many bad records: something is wrong with the publisher or with this program. Stop, and call somebody."""


class Producer(Protocol):
    """What is needed of aiokafka's producer."""

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        *,
        timestamp_ms: int,
        headers: Sequence[tuple[str, bytes]],
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
    """Sends letters to the dead-letter topic. One that is read again counts once, and is sent again only where it
    wasn't acknowledged."""

    def __init__(
        self, producer: Producer, topic: str, metrics: Metrics, guard: FloodGuard, catalogue_topic: str = ""
    ) -> None:
        """`topic` takes the letters; records of `catalogue_topic` are entries, of any other one events."""
        self._catalogue_topic = catalogue_topic
        self._producer = producer
        self._topic = topic
        self._metrics = metrics
        self._guard = guard
        self._unacknowledged: list[tuple[_Place, asyncio.Future[object]]] = []
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
        headers = [
            *letter.headers,
            ("reason", reason.encode(errors="replace")[:REASON_BYTES]),
            ("topic", letter.topic.encode()),
            ("partition", str(letter.partition).encode()),
            ("offset", str(letter.offset).encode()),
        ]
        sent = await self._producer.send(
            self._topic, letter.value, letter.key, timestamp_ms=letter.timestamp, headers=headers
        )
        self._unacknowledged.append((place, sent))

    def _count(self, place: "_Place", letter: Letter, reason: str) -> None:
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
        for place, sent in waiting:
            await sent
            self._acknowledged.put(place, True)


_Place = tuple[str, int, int]
"""Topic, partition and offset of the record."""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
