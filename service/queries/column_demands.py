"""Column demands: what viewers ask for that has columns only because it is asked for, within their budgets.

Pairs of profile and filter are such, and filters that look at the days of two fields. Each new one has the consumers
go over all tickets of its tenant, so nobody may demand them without end.
"""

from collections.abc import Collection, Coroutine, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog

from service import timezones
from service.domain.tenants.record import ColumnDemand
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
"""What was asked for within this time keeps its columns whoever demands others: open dashboards ask every 10 min."""

NOTE_EVERY_US = 600_000_000
"""Demands that are met are noted every 10 min: often enough for what is dropped after a day."""

NOTE_AGAIN_US = 10_000_000
"""Between tries of a note that the store didn't take: often enough for a day, and no call with each answer."""

NOTES_REMEMBERED = 10_000
"""Dashboards that one process tells apart, a hundred bytes each."""

FULL_RETRY_S = 600
"""When a tenant may have room again: what isn't asked for any more makes room within the hour."""


class DemandMeaning(NamedTuple):
    """What the columns of a dated demand depend on: zones with the same days share them."""

    profile_id: str
    target: str
    windows: tuple[tuple[Instant, Instant], ...]


class DemandLimits(msgspec.Struct, frozen=True):
    """See the settings of these names."""

    profile_pairs: int = 2_000
    dated_columns: int = 200
    new_pairs_per_user_per_day: int = 600
    new_pairs_per_tenant_per_hour: int = 2_000


class DemandReader(DemandNotes, BudgetStore, Protocol):
    """Keeps demands and budgets."""


class ColumnDemands:
    """Of one process; the budgets are shared by all."""

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
        """Now and then tells the store what is still asked for, or its columns would be dropped."""
        if count_request.profile_id is None and not view.dated:
            return
        asked = hash((tenant, count_request, zone))  # where two meet, one is noted a little later
        if now - (self._noted_at.get(asked) or 0) < NOTE_EVERY_US:
            return
        demands = view.demands(count_request, zone)
        done = not demands or await self._noted(tenant, self._reader.note_demands(tenant, demands, now, missing=False))
        self._noted_at.put(asked, now if done else now - NOTE_EVERY_US + NOTE_AGAIN_US)

    async def demand(
        self, tenant: str, view: TenantView, user: str, demands: Collection[ColumnDemand], now: Instant
    ) -> bool:
        """Has the consumers make columns for these; False where the store takes no note now.

        Raises OverBudget, and then none is demanded.
        """
        return await self._noted(tenant, self._demand(tenant, view, user, demands, now))

    async def _noted(self, tenant: str, noting: Coroutine[Any, Any, None]) -> bool:
        """Whether the store took the note. A full one refuses it, and answers all the same."""
        try:
            await noting
        except StoreUnavailable as error:
            log.info("not noted what was asked for", tenant=tenant, problem=str(error))
            return False
        return True

    async def _demand(
        self, tenant: str, view: TenantView, user: str, demands: Collection[ColumnDemand], now: Instant
    ) -> None:
        known = await self._reader.demands(tenant)
        new = [ask for ask in demands if ask not in known]
        dated = [ask for ask in new if ask[2]]
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
        counted = {meaning(one.demand, now) for one in view.dated}
        added = {meaning(ask, now) for ask in new} - counted
        if added and len(counted) + len(added) > self._limits.dated_columns:
            raise OverBudget(f"{len(counted)} filters are counted for a day", FULL_RETRY_S)


def meaning(ask: ColumnDemand, now: Instant) -> DemandMeaning:
    """What a dated demand means now; its zone is one of `timezones.names()`."""
    profile_id, target, zone = ask
    return DemandMeaning(profile_id, target, timezones.day_at(now, zone).windows)
