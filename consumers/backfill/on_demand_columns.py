"""On-demand columns: created by the first column demand, in advance for coming days, and dropped when unused.

Demands are pairs of profile and filter, and dated filters: filters that compare the days of two fields, which are
counted for one date in a time zone. Never changes any other column.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
import structlog

from consumers.backoff import before_redoing
from consumers.catalogue_sync.sync import CatalogueSync
from consumers.metrics import ConsumerMetrics
from service import timezones
from service.clock import Clock
from service.domain.tenants.record import adopting
from service.domain.tenants.tenant_entries import ColumnDemand, Dated, Entries, with_demands
from service.domain.tickets.ticket import Instant
from service.queries.column_demands import RECENT_US, DemandMeaning, meaning
from service.store.ports.backfill import DemandStore
from service.store.ports.catalogue import StoredTenant
from service.store.random_id import new_random_id
from service.turns import in_turns

log = structlog.get_logger()

_SECOND_US = 1_000_000

UNUSED_US = 24 * 3_600 * _SECOND_US
"""A demand that isn't repeated for a day is dropped: a dashboard on a wall repeats its own every few minutes."""

POLL_INTERVAL_US = 600 * _SECOND_US
"""Pause between two checks for unused demands and coming days."""

AHEAD_US = 3_600 * _SECOND_US
"""A day's columns are created this long before it begins: long enough to fill them for millions of tickets."""

BEHIND_US = 60 * _SECOND_US
"""A day's columns are kept this long after its end, for readers whose clocks are behind."""


class OnDemandColumns:
    """Reads column demands from the store and adds or drops columns in tenants' records."""

    def __init__(
        self,
        store: DemandStore,
        catalogue_sync: CatalogueSync,
        clock: Clock,
        metrics: ConsumerMetrics,
        most_pairs: int,
        most_dated: int,
    ) -> None:
        self._store = store
        self._catalogue_sync = catalogue_sync
        self._clock = clock
        self._metrics = metrics
        self._most_pairs = most_pairs
        self._most_dated = most_dated
        self._looked_at: Instant = 0

    async def look(self, may: Callable[[str], Awaitable[bool]]) -> None:
        """Creates columns for new demands, and drops unused ones every `POLL_INTERVAL_US`.

        `may` says whether this consumer may change a tenant's columns.
        """
        now = self._clock.now_us()
        due: Iterable[str] = await self._store.tenants_with_demands()
        if now - self._looked_at >= POLL_INTERVAL_US:
            self._looked_at = now
            due = {*due, *self._catalogue_sync.on_demand}
        for tenant in due:
            if await may(tenant):
                await self._store.settle_demands(tenant)  # before the read, so that a newer demand flags it again
                await self._tenant(tenant, now)

    async def _tenant(self, name: str, now: Instant) -> None:
        demands, redoing = await self._store.demands(name), before_redoing()
        while (stored := await self._store.tenant(name)) is not None:
            newest = stored.record.newest
            entries = chosen(newest, demands, now, self._most_pairs, self._most_dated)
            await self._forget(name, demands, entries)
            if (entries.pairs, entries.dated) == (newest.pairs, newest.dated):
                return
            record = await in_turns(adopting(stored.record, entries, stored.record.newest_version))
            new = StoredTenant(new_random_id(), stored.generation, record)
            if await self._store.put_tenant(name, stored.record_version, new):
                log.info("on-demand columns changed", tenant=name, pairs=len(entries.pairs), dated=len(entries.dated))
                self._catalogue_sync.remember(name, new)
                return
            await redoing.pause()

    async def _forget(self, name: str, demands: Mapping[ColumnDemand, Instant], entries: Entries) -> None:
        kept = {(*pair, "") for pair in entries.pairs} | {dated.demand for dated in entries.dated}
        dropped = [demand for demand in demands if demand not in kept]
        if dropped:
            self._metrics.asks_dropped.inc(len(dropped))
            await self._store.forget_demands(name, dropped)


def chosen(
    entries: Entries, demands: Mapping[ColumnDemand, Instant], now: Instant, most_pairs: int, most_dated: int
) -> Entries:
    """Returns the entries with the on-demand columns to keep or create, at most `most_pairs` and `most_dated`.

    `demands` maps each demand to its latest instant; demands older than a day are dropped. Over the limit the least
    recent pairs are dropped, but a pair in use never makes room for a new one. A counted dated filter never makes room
    for a new one either, and time zones with the same days count once. The service refuses demands beyond the limits.
    """
    fresh = {demand: at for demand, at in demands.items() if now - at < UNUSED_US}
    pairs = with_demands(entries, [demand[:2] for demand in fresh if not demand[2]], ()).pairs
    in_use = {pair for pair in pairs & entries.pairs if now - fresh[(*pair, "")] < RECENT_US}
    newest = sorted(pairs, key=lambda pair: (pair not in in_use, -fresh[(*pair, "")], pair))[:most_pairs]
    counted = {dated.demand for dated in entries.dated}
    zoned = [demand for demand in fresh if demand[2] in timezones.names()]
    by_meaning: dict[DemandMeaning, list[ColumnDemand]] = {}
    for demand in sorted(zoned, key=lambda demand: (demand not in counted, fresh[demand], demand)):
        by_meaning.setdefault(meaning(demand, now), []).append(demand)
    kept = [demand for same in [*by_meaning.values()][:most_dated] for demand in same]
    dated = with_demands(entries, (), [day for demand in kept for day in _days(demand, now)]).dated
    return msgspec.structs.replace(entries, pairs=frozenset(newest), dated=dated)


def _days(demand: ColumnDemand, now: Instant) -> set[Dated]:
    profile_id, target, zone = demand
    days = {timezones.day_at(at, zone) for at in (now - BEHIND_US, now, now + AHEAD_US)}
    return {Dated(profile_id, target, day) for day in days}
