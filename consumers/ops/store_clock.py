"""This machine's clock, held back to Redis' own. What it says is written to Redis as instants that are never lowered.

A clock that is a day ahead would count deadlines a day early, and go on doing so after it was set right. Between two
looks Redis' time is carried on by the monotonic clock, so setting this machine's clock changes nothing.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol, Self

import structlog

from consumers.kafka_errors import check_retry
from consumers.metrics import ConsumerMetrics
from service.clock import Clock, SystemClock
from service.domain.tickets.ticket import Instant
from service.store.ports.errors import StoreUnavailable

log = structlog.get_logger()

POLL_INTERVAL_S = 1.0
"""Within this time another server's clock is heeded after a failover."""

AHEAD_SAID_US = 1_000_000
"""Clocks that are kept right differ by milliseconds; a second is worth a word."""


class TimedStore(Protocol):
    """A store with a clock."""

    async def time_us(self) -> Instant:
        """Its time now; of several servers the earliest. Raises StoreUnavailable."""


class StoreClock:
    """See `service.clock.Clock`. Never ahead of the store's clock, as far as a round trip lets it be known."""

    def __init__(self, clock: Clock, monotonic_s: Callable[[], float], theirs: Instant, at_s: float) -> None:
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._theirs, self._at_s = theirs, at_s
        self._ahead_said = False

    @classmethod
    async def of(
        cls, store: TimedStore, clock: Clock | None = None, monotonic_s: Callable[[], float] = time.monotonic
    ) -> Self:
        """The clock of this store, looked at once. Raises StoreUnavailable."""
        theirs = await store.time_us()
        return cls(clock or SystemClock(), monotonic_s, theirs, monotonic_s())

    def now_us(self) -> Instant:
        return min(self._clock.now_us(), self._latest_us())

    @property
    def ahead_us(self) -> int:
        """How far this machine's clock is ahead; below 0 where it is behind."""
        return self._clock.now_us() - self._latest_us()

    async def follow(self, store: TimedStore, metrics: ConsumerMetrics) -> None:
        """Looks at the store's clock for ever. Raises what no retry cures."""
        while True:
            try:
                await self.look(store)
            except StoreUnavailable as error:  # whoever has something to write says so; the last time told goes on
                check_retry(error)
            metrics.clock_ahead.set(self.ahead_us / 1_000_000)
            self._say()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def look(self, store: TimedStore) -> None:
        """Takes the store's time. Raises StoreUnavailable."""
        theirs = await store.time_us()
        self._theirs, self._at_s = theirs, self._monotonic_s()  # read when it is back, so it is rather behind

    def _latest_us(self) -> Instant:
        return self._theirs + int((self._monotonic_s() - self._at_s) * 1_000_000)

    def _say(self) -> None:
        is_ahead = self.ahead_us > AHEAD_SAID_US
        if is_ahead and not self._ahead_said:
            log.warning("this machine's clock is ahead of Redis': Redis' counts", seconds=self.ahead_us // 1_000_000)
        self._ahead_said = is_ahead
