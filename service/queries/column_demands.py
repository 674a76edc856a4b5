"""Column demands: requests that need columns of their own, within each user's and tenant's budget. Makes no column.

Two kinds of request need them: a pair of profile and filter, and a filter that compares the days of two fields. Each
new demand makes the consumers go over all tickets of the tenant, so budgets bound how many one user can cause.
"""

from collections.abc import Collection, Coroutine, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog

from service import timezones
from service.domain.tenants.tenant_entries import ColumnDemand
from service.domain.tenants.view import CountRequest, TenantView
from service.domain.tickets.ticket import Instant
from service.lru import Lru
from service.store.ports.budgets import BudgetStore, Charge, OverBudget, Rate
from service.store.ports.errors import StoreUnavailable
from service.store.ports.reading import DemandNotes

log = structlog.stdlib.get_logger(__name__)

_HOUR_US = 3_600_000_000
_DAY_MIN, _HOUR_MIN = 24 * 60, 60

RECENT_US = _HOUR_US
"""A demand requested within this time keeps its columns, whatever else comes: open dashboards ask every 10 min."""

NOTE_EVERY_US = 600_000_000
"""A demand that is met is noted every 10 min: often enough, because columns are dropped a day after the last note."""

NOTE_AGAIN_US = 10_000_000
"""Pause after a failed note: often enough for a day, without one call for each answer."""

NOTES_REMEMBERED = 10_000
"""Requests whose last note one process remembers, a hundred bytes each."""

FULL_RETRY_S = 600
"""When a tenant may have room again: demands that nobody requests any more make room within the hour."""


class DemandMeaning(NamedTuple):
    """What the columns of a dated demand depend on: time zones whose days begin at the same instants share columns."""

    profile_id: str
    target: str
    windows: tuple[tuple[Instant, Instant], ...]


class DemandLimits(msgspec.Struct, frozen=True):
    """Limits on column demands; the settings of the same names explain each."""

    profile_pairs: int = 2_000
    dated_columns: int = 200
    new_pairs_per_user_per_day: int = 600
    new_pairs_per_tenant_per_hour: int = 2_000


class DemandReader(DemandNotes, BudgetStore, Protocol):
    """Keeps demands and budgets. Raises StoreUnavailable."""


class ColumnDemands:
    """Notes and limits column demands for one process. All processes share the budgets."""

    def __init__(self, reader: DemandReader, limits: DemandLimits) -> None:
        self._reader = reader
        self._limits = limits
        self._noted_at: Lru[int, Instant] = Lru(NOTES_REMEMBERED)
        pairs, dated = limits.new_pairs_per_user_per_day, max(1, limits.dated_columns // 2)
        self._pairs_of_user = Rate("user-pairs", pairs, pairs / _DAY_MIN)
        self._dated_of_user = Rate("user-dated", dated, dated / _DAY_MIN)
        hourly = limits.new_pairs_per_tenant_per_hour
        self._pairs_of_tenant = Rate("tenant-pairs", hourly, hourly / _HOUR_MIN)

    async def note(self, tenant: str, view: TenantView, count_request: CountRequest, zone: str, now: Instant) -> None:
        """Notes at intervals that viewers still request these columns; without notes they are dropped after a day."""
        if count_request.profile_id is None and not view.dated:
            return
        request_hash = hash((tenant, count_request, zone))  # two equal hashes only delay one of the notes
        if now - (self._noted_at.get(request_hash) or 0) < NOTE_EVERY_US:
            return
        demands = view.demands(count_request, zone)
        done = not demands or await self._noted(tenant, self._reader.note_demands(tenant, demands, now, missing=False))
        self._noted_at.put(request_hash, now if done else now - NOTE_EVERY_US + NOTE_AGAIN_US)

    async def demand(
        self, tenant: str, view: TenantView, user: str, demands: Collection[ColumnDemand], now: Instant
    ) -> bool:
        """Asks the consumers to make columns for these; False when the store accepts no writes now.

        Raises OverBudget, and then demands none of them.
        """
        return await self._noted(tenant, self._demand(tenant, view, user, demands, now))

    async def _noted(self, tenant: str, noting: Coroutine[Any, Any, None]) -> bool:
        """Tells whether the store took the note. A full store refuses notes but still answers reads."""
        try:
            await noting
        except StoreUnavailable as error:
            log.info("column demands not noted", tenant=tenant, problem=str(error))
            return False
        return True

    async def _demand(
        self, tenant: str, view: TenantView, user: str, demands: Collection[ColumnDemand], now: Instant
    ) -> None:
        known = await self._reader.demands(tenant)
        new = [demand for demand in demands if demand not in known]
        dated = [demand for demand in new if demand[2]]
        self._check_pairs(view, len(new) - len(dated), known, now)
        self._check_dated(view, dated, now)
        charges = [
            Charge(self._pairs_of_user, user, len(new) - len(dated)),
            Charge(self._dated_of_user, user, len(dated)),
            Charge(self._pairs_of_tenant, "", len(new)),
        ]
        wait_s = await self._reader.spend(tenant, [charge for charge in charges if charge.tokens]) if new else 0.0
        if wait_s:
            raise OverBudget(f"{len(new)} new column demands of one user", wait_s)
        await self._reader.note_demands(tenant, demands, now, missing=True)

    def _check_pairs(self, view: TenantView, new: int, known: Mapping[ColumnDemand, Instant], now: Instant) -> None:
        recent = sum((*pair, "") in known and now - known[*pair, ""] < RECENT_US for pair in view.pairs)
        if new and recent + new > self._limits.profile_pairs:
            raise OverBudget(f"{recent} pairs of profile and filter are in use", FULL_RETRY_S)

    def _check_dated(self, view: TenantView, new: Iterable[ColumnDemand], now: Instant) -> None:
        counted = {meaning(column.demand, now) for column in view.dated}
        added = {meaning(demand, now) for demand in new} - counted
        if added and len(counted) + len(added) > self._limits.dated_columns:
            raise OverBudget(f"{len(counted)} filters are counted for a day", FULL_RETRY_S)


def meaning(demand: ColumnDemand, now: Instant) -> DemandMeaning:
    """Returns what the columns of a dated demand depend on now; its zone is one of `timezones.names()`."""
    profile_id, target, zone = demand
    return DemandMeaning(profile_id, target, timezones.day_at(now, zone).windows)
