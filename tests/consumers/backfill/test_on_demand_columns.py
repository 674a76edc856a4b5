"""Columns on demand: what is in use doesn't give way to what is new, and zones with the same days share them."""

from consumers.backfill.on_demand_columns import chosen
from service.domain.catalogue.catalogue import Filter, Profile, TenantSettings
from service.domain.conditions.condition import AllOf, Leaf
from service.domain.tenants.tenant_entries import ColumnDemand, Entries, with_demands
from service.queries.column_demands import RECENT_US

NOW_US = 1_795_256_100_000_000
MINUTE_US = 60_000_000
BOTH = AllOf((Leaf("createdAt", "within", "today"), Leaf("dueAt", "within", "today")))
FILTERS = {name: Filter(name, name, "custom", Leaf("category", "eq", name)) for name in "abcd"}
DATED = {"both": Filter("both", "Both", "custom", BOTH)}
ENTRIES = Entries(TenantSettings("acme", "Acme", "r"), FILTERS | DATED, {"p": Profile("p", "P", AllOf(()))})


def pair(name: str) -> ColumnDemand:
    return ("p", name, "")


def pairs_of(entries: Entries, asked: dict[ColumnDemand, int], most: int) -> set[str]:
    return {target for _, target in chosen(entries, asked, NOW_US, most, 0).pairs}


def test_a_pair_in_use_does_not_give_way_to_a_new_one() -> None:
    counted = with_demands(ENTRIES, [("p", "a"), ("p", "b")], ())
    asked = {
        pair("a"): NOW_US - 20 * MINUTE_US,
        pair("b"): NOW_US - RECENT_US,
        pair("c"): NOW_US,
        pair("d"): NOW_US - 1,
    }
    assert pairs_of(counted, asked, 2) == {"a", "c"}, "nobody asked for b in an hour"
    assert pairs_of(counted, asked, 1) == {"a"}
    assert pairs_of(counted, asked, 4) == {"a", "b", "c", "d"}
    assert pairs_of(ENTRIES, asked, 2) == {"c", "d"}, "none is counted yet: the newest first"


def test_zones_in_which_the_same_instants_are_today_share_a_place() -> None:
    same = ["Europe/Oslo", "Europe/Paris", "Africa/Lagos", "Europe/Berlin"]
    asked = {("", "both", zone): NOW_US for zone in (*same, "Asia/Tokyo", "America/New_York")}
    zones = [{one.day.zone for one in chosen(ENTRIES, asked, NOW_US, 0, most).dated} for most in (2, 3)]
    assert zones == [{*same, "America/New_York"}, {*same, "America/New_York", "Asia/Tokyo"}]


def test_what_is_counted_for_a_day_does_not_give_way() -> None:
    first = chosen(ENTRIES, {("", "both", "Asia/Tokyo"): NOW_US}, NOW_US, 0, 1)
    asked = {("", "both", "Asia/Tokyo"): NOW_US - MINUTE_US, ("", "both", "America/New_York"): NOW_US - 2 * MINUTE_US}
    assert {one.day.zone for one in chosen(first, asked, NOW_US, 0, 1).dated} == {"Asia/Tokyo"}
