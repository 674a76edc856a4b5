"""Counts tickets by status for slices of a tenant, from one atomic read. Never checks the caller or the realm."""

from collections.abc import Callable, Sequence

import msgspec

from service.clock import Clock
from service.domain.catalogue.catalogue import TenantSettings
from service.domain.counting.status_counts import Slice, StatusPlan, status_plan
from service.domain.tenants.view import TenantView, Warming
from service.domain.tickets.ticket import Instant
from service.queries.counts import ATTEMPTS, CachedTenant, CountQueries
from service.store.ports.errors import StoreUnavailable
from service.store.ports.reading import CountQuery, Snapshot, SnapshotReader

SlicesOf = Callable[[TenantSettings], Sequence[Slice]]
"""Chooses the slices from the tenant's settings, of the same catalogue state that the counts belong to."""


class StatusTally(msgspec.Struct, frozen=True):
    """Counts of slices: every number comes from `snapshot`, every name from `view`, in force at that snapshot."""

    view: TenantView
    counts: list[dict[str, int]]
    """One mapping per requested slice, in that order: status id -> tickets."""
    snapshot: Snapshot
    now: Instant


class TallyQueries:
    """Counts tickets by status. While a tenant is loading, it counts the tickets that have arrived so far."""

    def __init__(self, queries: CountQueries, reader: SnapshotReader, clock: Clock) -> None:
        self._queries = queries
        self._reader = reader
        self._clock = clock

    async def tally(self, tenant_id: str, slices_of: SlicesOf) -> StatusTally:
        """Counts the slices. Raises UnknownTenant and Warming, each confirmed by the store, and StoreUnavailable."""
        try:
            tally = await self._ask(await self._queries.remembered(tenant_id), tenant_id, slices_of)
        except Warming:
            tally = None  # the cached view may be outdated: read again
        for _ in range(ATTEMPTS):
            if tally is not None:
                return tally
            tally = await self._ask(await self._queries.newest(tenant_id), tenant_id, slices_of)
        raise StoreUnavailable(f"the catalogue of tenant {tenant_id} changed {ATTEMPTS} times during one answer")

    async def _ask(self, known: CachedTenant, tenant_id: str, slices_of: SlicesOf) -> StatusTally | None:
        """Returns None when the tenant's record has changed since it was compiled."""
        plan: StatusPlan = status_plan(known.view.status_columns, slices_of(known.view.settings))
        now = self._clock.now_us()
        query = CountQuery(
            tenant_id, known.record_version, known.generation, plan.columns, plan.counters, plan.columns_mask
        )
        snapshot = await self._reader.snapshot(query)
        if snapshot is None:
            return None
        return StatusTally(known.view, plan.evaluate(snapshot.columns, snapshot.counters), snapshot, now)
