"""The clock: applies tickets again when their contributions change by themselves. An event without a record.

Never decides what a ticket counts in, and never early: a ticket is looked at when it is due, not before.
"""

import asyncio
from collections.abc import Iterable, Sequence

from consumers.errors import RETRIED
from consumers.leases import Leases
from consumers.live_work import LiveWork
from consumers.metrics import Metrics
from consumers.retrying import Retrying
from consumers.step import Step
from service.clock import Clock
from service.domain.ticket import Instant
from service.store.port import Bucket, CounterStore, DueTicket

LOOK_S = 0.2
"""How often to look for what is due: how late a change may be, and how old the timers get meanwhile."""

PAGE = 100
"""Most tickets applied in one call: some 5 ms of Redis, so that events wait no longer behind one."""

REST_SHARE = 1.0
"""Rest after a round of full pages, as a share of what it took: a crowd at one instant gets half of the consumer."""


class Timers:
    """The clocks of those buckets whose lease this consumer has."""

    def __init__(
        self,
        store: CounterStore,
        step: Step,
        leases: Leases,
        clock: Clock,
        metrics: Metrics,
        buckets: Iterable[Bucket],
        retrying: Retrying | None = None,
        live: LiveWork | None = None,
    ) -> None:
        self._store = store
        self._step = step
        self._leases = leases
        self._clock = clock
        self._metrics = metrics
        self._buckets = tuple(buckets)
        self._retrying = retrying or Retrying("timers")
        self._live = live or LiveWork()

    async def run(self) -> None:
        """Looks for ever. Raises what no retry cures."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                more = await self.look()
                self._retrying.well()
            except RETRIED as error:
                self._retrying.heed(error)
                more = False
            took = loop.time() - began
            await asyncio.sleep(REST_SHARE * took if more else max(0.0, LOOK_S - took))

    async def look(self) -> bool:
        """Applies what is due now, a page of each bucket; True when there may be more. Raises what RETRIED names."""
        mine = await self._leases.mine_of(self._buckets)
        now = self._clock.now_us()
        pages = await asyncio.gather(*(self._store.due(bucket, now, PAGE) for bucket in mine))
        oldest = min((page[0].due_at for page in pages if page), default=now)
        self._metrics.timers_late.set((now - oldest) / 1_000_000)
        for bucket, page in zip(mine, pages, strict=True):
            if page:
                await self._fire(bucket, page, now)
        return any(len(page) == PAGE for page in pages)

    async def _fire(self, bucket: Bucket, page: Sequence[DueTicket], now: Instant) -> None:
        together, at, some_of_many = fired_together(page, now)
        with self._live.under_way():
            fired = await self._step.fire(bucket, together, at, some_of_many=some_of_many)
        self._metrics.timers_fired.inc(fired)


def fired_together(page: Sequence[DueTicket], now: Instant) -> tuple[Sequence[DueTicket], Instant, bool]:
    """All of a page that is due by some instant at once; a part of it only where too many are due at the same one."""
    if len(page) < PAGE:
        return page, now, False
    last = page[-1].due_at
    earlier = [ticket for ticket in page if ticket.due_at < last]
    return (earlier, last - 1, False) if earlier else (page, last, True)
