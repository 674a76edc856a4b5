"""Column demands: who asks for more than their budget is told when to come back, and others have their columns."""

import pytest

from service import timezones
from service.domain.catalogue.catalogue import Filter, Profile, TenantSettings
from service.domain.conditions.condition import AllOf, Leaf
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.record import TenantRecord, adopted, backfill_for, backfilled, new_record
from service.domain.tenants.tenant_entries import SUMMARY, ColumnDemand, Dated, Entries, with_demands
from service.domain.tenants.view import CountRequest, TenantView
from service.queries.column_demands import RECENT_US, ColumnDemands, DemandLimits
from service.store.ports.budgets import OverBudget
from tests.fakes.memory_store import MemoryStore

NOW = 1_795_256_100_000_000
BOTH = AllOf((Leaf("createdAt", "within", "today"), Leaf("dueAt", "within", "today")))
FILTERS = {f"f{n}": Filter(f"f{n}", "F", "custom", Leaf("category", "eq", f"c{n}")) for n in range(10)}
ENTRIES = Entries(
    TenantSettings("acme", "Acme", "r"),
    FILTERS | {"both": Filter("both", "Both", "custom", BOTH)},
    {f"p{n}": Profile(f"p{n}", "P", AllOf(())) for n in range(10)},
)
VIEW = TenantView(new_record(ENTRIES, 1))


def pairs(count: int, profile: str = "p0") -> list[ColumnDemand]:
    return [(profile, f"f{n}", "") for n in range(count)]


def demands(store: MemoryStore, **limits: int) -> ColumnDemands:
    usual = {"profile_pairs": 100, "dated_columns": 4, "new_pairs_per_user_per_day": 10}
    return ColumnDemands(store, DemandLimits(**usual | {"new_pairs_per_tenant_per_hour": 25} | limits))


async def test_one_user_spends_their_own_budget_and_only_on_what_is_new() -> None:
    store = MemoryStore()
    wanting = demands(store)
    for _ in range(5):
        await wanting.demand("acme", VIEW, "ann", pairs(8), NOW)
    with pytest.raises(OverBudget) as refused:
        await wanting.demand("acme", VIEW, "ann", pairs(4, "p1"), NOW)
    assert refused.value.wait_s == pytest.approx(2 * 24 * 3_600 / 10)
    assert set(await store.demands("acme")) == set(pairs(8)), "nothing of a refused demand is noted"
    await wanting.demand("acme", VIEW, "ann", pairs(2, "p1"), NOW)
    await wanting.demand("acme", VIEW, "bob", pairs(10, "p2"), NOW)
    await wanting.demand("globex", VIEW, "ann", pairs(10), NOW)


async def test_the_users_of_a_tenant_share_its_budget() -> None:
    wanting = demands(MemoryStore())
    for number in range(2):
        await wanting.demand("acme", VIEW, f"u{number}", pairs(10, f"p{number}"), NOW)
    with pytest.raises(OverBudget):
        await wanting.demand("acme", VIEW, "u2", pairs(10, "p2"), NOW)
    await wanting.demand("acme", VIEW, "u3", pairs(5, "p3"), NOW)


async def test_new_pairs_are_refused_while_those_in_use_take_all_the_room() -> None:
    store = MemoryStore()
    wanting = demands(store, profile_pairs=5)
    counted = TenantView(new_record(with_demands(ENTRIES, [ask[:2] for ask in pairs(4)], ()), 1))
    await store.note_demands("acme", pairs(4), NOW, missing=False)
    with pytest.raises(OverBudget):
        await wanting.demand("acme", counted, "ann", pairs(2, "p1"), NOW)
    await wanting.demand("acme", counted, "ann", pairs(1, "p1"), NOW)
    await wanting.demand("acme", counted, "ann", pairs(2, "p2"), NOW + RECENT_US)


def dated_view(*zones: str) -> TenantView:
    dated = {Dated("", "both", timezones.day_at(NOW, zone)) for zone in zones}
    record: TenantRecord = adopted(new_record(ENTRIES, 1), with_demands(ENTRIES, (), dated), 1)
    backfill = backfill_for(record)
    return TenantView(record if backfill is None else backfilled(record, backfill))


async def test_zones_with_the_same_days_take_one_place_and_out_of_room_is_no_invalid_id() -> None:
    wanting = demands(MemoryStore(), dated_columns=2)
    same = ("Europe/Oslo", "Europe/Paris", "Africa/Lagos")
    seen = dated_view(*same, "Asia/Tokyo")
    await wanting.demand("acme", seen, "ann", [("", "both", "Europe/Berlin")], NOW)
    with pytest.raises(OverBudget):
        await wanting.demand("acme", seen, "bob", [("", "both", "America/New_York")], NOW)


async def test_one_user_may_ask_for_half_of_the_days_that_there_is_room_for() -> None:
    wanting = demands(MemoryStore())
    zones = ["Asia/Tokyo", "America/New_York", "Pacific/Auckland", "Asia/Kathmandu"]
    for zone in zones[:2]:
        await wanting.demand("acme", VIEW, "ann", [("", "both", zone)], NOW)
    with pytest.raises(OverBudget):
        await wanting.demand("acme", VIEW, "ann", [("", "both", zones[2])], NOW)
    await wanting.demand("acme", VIEW, "bob", [("", "both", zones[2])], NOW)


async def test_columns_of_one_zone_answer_another_one_with_the_same_days() -> None:
    seen = dated_view("Europe/Oslo")
    count_request = CountRequest(Viewer("ann", Role.ADMIN), Perspective.TEMPLATE, ("both",))
    assert seen.plan(count_request, timezones.day_at(NOW, "Africa/Lagos")).sums


async def test_a_pair_that_is_asked_for_again_and_again_costs_once() -> None:
    store = MemoryStore()
    wanting = demands(store, new_pairs_per_user_per_day=1)
    for later in range(3):
        await wanting.demand("acme", VIEW, "ann", [("p0", SUMMARY, "")], NOW + later)
    assert await store.tenants_with_demands() == ["acme"]
