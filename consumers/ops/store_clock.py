"""This machine's clock, limited to Redis' clock. Never ahead of Redis.

A bucket's timers instant is never lowered, so a clock that is a day ahead would apply deadlines a day early, even after
it was corrected. Between two polls the monotonic clock advances Redis' time, so setting this machine's clock forward
has no effect.
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
"""Pause between two polls, and so the delay until a new server's clock is used after a failover."""

AHEAD_SAID_US = 1_000_000
"""A clock further ahead than this is logged: synchronized clocks differ by milliseconds."""


class TimedStore(Protocol):
    """A store with a clock."""

    async def time_us(self) -> Instant:
        """Returns the store's time, of several servers the earliest. Raises StoreUnavailable."""


class StoreClock:
    """See `service.clock.Clock`. Never ahead of the store's clock, but up to a round trip behind."""

    def __init__(self, clock: Clock, monotonic_s: Callable[[], float], theirs: Instant, at_s: float) -> None:
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._theirs, self._at_s = theirs, at_s
        self._ahead_said = False

    @classmethod
    async def of(
        cls, store: TimedStore, clock: Clock | None = None, monotonic_s: Callable[[], float] = time.monotonic
    ) -> Self:
        """Reads the store's time and returns a clock. Raises StoreUnavailable."""
        theirs = await store.time_us()
        return cls(clock or SystemClock(), monotonic_s, theirs, monotonic_s())

    def now_us(self) -> Instant:
        """Returns the earlier of this machine's and the store's time."""
        return min(self._clock.now_us(), self._latest_us())

    @property
    def ahead_us(self) -> int:
        """How far this machine's clock is ahead of the store's, in microseconds; negative if behind."""
        return self._clock.now_us() - self._latest_us()

    async def follow(self, store: TimedStore, metrics: ConsumerMetrics) -> None:
        """Polls the store's clock for ever. Raises errors that no retry fixes."""
        while True:
            try:
                await self.look(store)
            except StoreUnavailable as error:  # writers report this error; until then the last time is advanced
                check_retry(error)
            metrics.clock_ahead.set(self.ahead_us / 1_000_000)
            self._say()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def look(self, store: TimedStore) -> None:
        """Reads the store's time. Raises StoreUnavailable."""
        theirs = await store.time_us()
        self._theirs, self._at_s = theirs, self._monotonic_s()  # after the reply, so the clock is behind, not ahead

    def _latest_us(self) -> Instant:
        return self._theirs + int((self._monotonic_s() - self._at_s) * 1_000_000)

    def _say(self) -> None:
        is_ahead = self.ahead_us > AHEAD_SAID_US
        if is_ahead and not self._ahead_said:
            log.warning(
                "this machine's clock is ahead of Redis' clock, which is used instead",
                seconds=self.ahead_us // 1_000_000,
            )
        self._ahead_said = is_ahead
