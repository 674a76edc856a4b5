"""Timers: apply due tickets again, when time alone changes their contributions. Never before a ticket is due.

A fired ticket is like an event without a record.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from consumers.coordination.leases import Leases
from consumers.coordination.live_work import LiveWork
from consumers.engine.away import gathered
from consumers.engine.reevaluation import PAGE, Reevaluation, fired_together
from consumers.kafka_errors import RETRIED, check_retry
from consumers.metrics import ConsumerMetrics
from consumers.retrying import Retrying
from service.clock import Clock
from service.domain.tickets.ticket import Instant
from service.store.ports.catalogue import Bucket
from service.store.ports.errors import StoreUnavailable
from service.store.ports.steps import DueTicket, TimerStore

POLL_INTERVAL_S = 0.2
"""Pause between two polls for due tickets: the most that a change by time is late."""

REST_SHARE = 1.0
"""Pause after a poll with a full page, as a share of its duration: many tickets due at once get half of the time."""

REST_S = 2.0
"""Pause before a failed bucket is polled again: a server that hangs must not delay the timers of other buckets."""


class Timers:
    """The timers of the buckets whose lease this consumer holds."""

    def __init__(
        self,
        store: TimerStore,
        reevaluation: Reevaluation,
        leases: Leases,
        clock: Clock,
        metrics: ConsumerMetrics,
        buckets: Iterable[Bucket],
        retrying: Retrying | None = None,
        live: LiveWork | None = None,
    ) -> None:
        self._store = store
        self._reevaluation = reevaluation
        self._leases = leases
        self._clock = clock
        self._metrics = metrics
        self._buckets = tuple(buckets)
        self._retrying = retrying or Retrying("timers")
        self._live = live or LiveWork()
        self._rests: dict[Bucket, float] = {}
        """When each failed bucket is polled again, by the loop's clock."""

    async def run(self) -> None:
        """Polls for ever. Raises errors that no retry fixes."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                more = await self.look()
                self._retrying.succeeded()
            except RETRIED as error:
                self._retrying.report(error)
                more = False
            took = loop.time() - began
            await asyncio.sleep(REST_SHARE * took if more else max(0.0, POLL_INTERVAL_S - took))

    async def look(self) -> bool:
        """Applies one page of due tickets of each bucket; returns True when more may be due. Raises errors in RETRIED.

        A bucket that fails pauses for `REST_S`. Its error is raised only when every bucket failed.
        """
        now, now_s = self._clock.now_us(), asyncio.get_running_loop().time()
        buckets = [bucket for bucket in self._buckets if self._rests.get(bucket, 0.0) <= now_s]
        pages, failed = await gathered({bucket: self._page(bucket, now) for bucket in buckets})
        oldest = min((page[0].due_at for page in pages.values() if page), default=now)
        self._metrics.timers_late.set((now - oldest) / 1_000_000)
        for bucket, page in pages.items():
            try:
                await self._fire(bucket, page, now)
            except StoreUnavailable as error:
                failed[bucket] = error
        self._rest(failed, polled=len(buckets))
        return any(len(page) == PAGE for page in pages.values())

    async def _page(self, bucket: Bucket, now: Instant) -> Sequence[DueTicket]:
        """Returns a page of due tickets of a bucket; none when another consumer holds its lease."""
        return await self._store.due(bucket, now, PAGE) if await self._leases.mine(bucket) else ()

    def _rest(self, failed: Mapping[Bucket, StoreUnavailable], polled: int) -> None:
        """Starts the pause of failed buckets. Raises an error when all of the polled buckets failed."""
        for error in failed.values():
            check_retry(error)
        if failed and len(failed) == polled:
            raise next(iter(failed.values()))
        until = asyncio.get_running_loop().time() + REST_S
        self._rests = dict.fromkeys(failed, until) | {
            bucket: rests_until for bucket, rests_until in self._rests.items() if rests_until > until - REST_S
        }

    async def _fire(self, bucket: Bucket, page: Sequence[DueTicket], now: Instant) -> None:
        if not page:
            return
        together, at, partial_due_batch = fired_together(page, now, PAGE)
        with self._live.under_way():
            fired = await self._reevaluation.fire(bucket, together, at, partial_due_batch=partial_due_batch)
        self._metrics.timers_fired.inc(fired)
