"""Columns for what is asked for only: made when first asked for, for days to come in time, dropped when unused.

These are pairs of profile and filter, and what looks at the days of two fields, which is counted for a date in a zone.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
import structlog

from consumers.backoff import before_redoing
from consumers.catalogue_sync.sync import CatalogueSync
from consumers.metrics import ConsumerMetrics
from service import timezones
from service.clock import Clock
from service.domain.tenants.record import ColumnDemand, Dated, Entries, adopting, with_demands
from service.domain.tickets.ticket import Instant
from service.queries.column_demands import RECENT_US, DemandMeaning, meaning
from service.store.ports.backfill import DemandStore
from service.store.ports.catalogue import StoredTenant
from service.store.random_id import new_random_id
from service.turns import in_turns

log = structlog.get_logger()

_SECOND_US = 1_000_000

UNUSED_US = 24 * 3_600 * _SECOND_US
"""What nobody has asked for in a day is dropped: a dashboard on the wall asks every few minutes."""

POLL_INTERVAL_US = 600 * _SECOND_US
"""Between looks for what to drop, and for the days that come."""

AHEAD_US = 3_600 * _SECOND_US
"""A day's columns are made this long before it begins: long enough to fill them for millions of tickets."""

BEHIND_US = 60 * _SECOND_US
"""And are kept this long after its end, for readers whose clocks are behind."""


class OnDemandColumns:
    """Looks at what was asked for, and changes tenants' records accordingly."""

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
        """Takes up what is newly asked for, and now and then drops what isn't. `may` says whose tenants are ours."""
        now = self._clock.now_us()
        due: Iterable[str] = await self._store.tenants_with_demands()
        if now - self._looked_at >= POLL_INTERVAL_US:
            self._looked_at = now
            due = {*due, *self._catalogue_sync.asked}
        for tenant in due:
            if await may(tenant):
                await self._store.settle_demands(tenant)  # before it is looked at: what is asked meanwhile comes again
                await self._tenant(tenant, now)

    async def _tenant(self, name: str, now: Instant) -> None:
        asked, redoing = await self._store.demands(name), before_redoing()
        while (stored := await self._store.tenant(name)) is not None:
            newest = stored.record.newest
            entries = chosen(newest, asked, now, self._most_pairs, self._most_dated)
            await self._forget(name, asked, entries)
            if (entries.pairs, entries.dated) == (newest.pairs, newest.dated):
                return
            record = await in_turns(adopting(stored.record, entries, stored.record.newest_version))
            new = StoredTenant(new_random_id(), stored.generation, record)
            if await self._store.put_tenant(name, stored.record_version, new):
                log.info("columns asked for", tenant=name, pairs=len(entries.pairs), dated=len(entries.dated))
                self._catalogue_sync.noted(name, new)
                return
            await redoing.pause()

    async def _forget(self, name: str, asked: Mapping[ColumnDemand, Instant], entries: Entries) -> None:
        kept = {(*pair, "") for pair in entries.pairs} | {dated.demand for dated in entries.dated}
        gone = [ask for ask in asked if ask not in kept]
        if gone:
            self._metrics.asks_dropped.inc(len(gone))
            await self._store.forget_demands(name, gone)


def chosen(
    entries: Entries, asked: Mapping[ColumnDemand, Instant], now: Instant, most_pairs: int, most_dated: int
) -> Entries:
    """The entries with what is to have columns: asked for within a day, and at most so much.

    Beyond the limits pairs give way that were asked for least recently, but none that is in use to a new one. What is
    counted by days already never gives way to what isn't, and zones with the same days count as one. The service
    refuses whoever asks for what there is no room for.
    """
    fresh = {ask: at for ask, at in asked.items() if now - at < UNUSED_US}
    pairs = with_demands(entries, [ask[:2] for ask in fresh if not ask[2]], ()).pairs
    in_use = {pair for pair in pairs & entries.pairs if now - fresh[(*pair, "")] < RECENT_US}
    newest = sorted(pairs, key=lambda pair: (pair not in in_use, -fresh[(*pair, "")], pair))[:most_pairs]
    counted = {dated.demand for dated in entries.dated}
    zoned = [ask for ask in fresh if ask[2] in timezones.names()]
    meanings: dict[DemandMeaning, list[ColumnDemand]] = {}
    for ask in sorted(zoned, key=lambda ask: (ask not in counted, fresh[ask], ask)):
        meanings.setdefault(meaning(ask, now), []).append(ask)
    kept = [ask for demands in [*meanings.values()][:most_dated] for ask in demands]
    dated = with_demands(entries, (), [day for ask in kept for day in _days(ask, now)]).dated
    return msgspec.structs.replace(entries, pairs=frozenset(newest), dated=dated)


def _days(ask: ColumnDemand, now: Instant) -> set[Dated]:
    profile_id, target, zone = ask
    days = {timezones.day_at(at, zone) for at in (now - BEHIND_US, now, now + AHEAD_US)}
    return {Dated(profile_id, target, day) for day in days}
