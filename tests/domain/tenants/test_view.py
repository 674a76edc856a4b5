"""One tenant as viewers see it: visible ids, names and colours, and requests that are still warming."""

from typing import Any

import msgspec
import pytest

from service.domain.catalogue.catalogue import Filter, Priority, Profile, Sharing, Status, TenantSettings
from service.domain.conditions.condition import AllOf, Asks, Condition, Leaf, Question
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.record import TenantRecord, adopted, backfill_for, backfilled, new_record
from service.domain.tenants.tenant_entries import SUMMARY, Entries, with_demands
from service.domain.tenants.view import SUMMARY_KEYS, CountRequest, InvalidIds, TenantView, Warming, profile_entries
from service.domain.tenants.visibility import FilterDetail
from tests.support.days import day

MINE, VIP = Asks(Question.ASSIGNED), Leaf("category", "eq", "vip")
SETTINGS = TenantSettings(
    "acme",
    "Acme",
    "r",
    (Status("1", "One", "#111"), Status("2", "Two", closed=True)),
    (Priority("p", "P", 5), Priority("1", "Shadowed", 1)),
)
ADMIN, ANN = Viewer("root", Role.ADMIN), Viewer("ann", Role.AGENT, frozenset(("net",)), frozenset(("ticket_agent",)))


def saved(name: str, where: Condition = VIP, **more: Any) -> Filter:
    return Filter(name, f"Filter {name}", "custom", where, **more)


def entries(*filters: Filter, profiles: tuple[Profile, ...] = (), settings: TenantSettings = SETTINGS) -> Entries:
    return Entries(settings, {one.id: one for one in filters}, {one.id: one for one in profiles})


def wanted(
    *ids: str, viewer: Viewer = ADMIN, perspective: str = "template", profile: str | None = None
) -> CountRequest:
    return CountRequest(viewer, Perspective(perspective), ids, profile)


def completed(record: TenantRecord) -> TenantRecord:
    backfill = backfill_for(record)
    return record if backfill is None else backfilled(record, backfill)


def invalid(view: TenantView, request: CountRequest) -> list[str]:
    try:
        view.check(request)
    except InvalidIds as error:
        return list(error.ids)
    return []


def test_unknown_ids_are_named_in_the_order_of_the_request_the_profile_s_last() -> None:
    view = TenantView(new_record(entries(saved("a")), 1))
    assert invalid(view, wanted("z", "all", "y", "a", "1", profile="nobody's")) == ["z", "y", "nobody's"]
    with pytest.raises(InvalidIds):
        view.plan(wanted("z"), day())
    assert invalid(view, wanted("all", "1", "2", "p", "a")) == []


def test_profiles_are_no_filters_nor_the_other_way_round() -> None:
    view = TenantView(new_record(entries(saved("a"), profiles=(Profile("b", "B", VIP),)), 1))
    assert invalid(view, wanted("a", "b", profile="a")) == ["b", "a"]
    assert invalid(view, wanted("a", profile="b")) == []


SHARING = Sharing(frozenset(("lead",)), frozenset(("net",)))


@pytest.mark.parametrize(
    ("viewer", "own", "shared"),
    [
        (ADMIN, True, True),
        (ANN, True, True),
        (Viewer("bob", Role.AGENT, frozenset(("net",))), False, True),
        (Viewer("bob", Role.USER, roles=frozenset(("ticket_user", "lead"))), False, True),
        (Viewer("bob", Role.AGENT, frozenset(("dba",)), frozenset(("ticket_agent",))), False, False),
    ],
)
def test_what_is_owned_is_seen_by_its_owner_those_it_is_shared_with_and_admins(
    viewer: Viewer, own: bool, shared: bool
) -> None:
    profiles = (Profile("own", "P", VIP, "ann"), Profile("shared", "P", VIP, "zoe", SHARING))
    owned = saved("own", owner="ann"), saved("shared", owner="zoe", shared_with=SHARING)
    view = TenantView(new_record(entries(*owned, profiles=profiles), 1))
    hidden = [name for name, seen in (("own", own), ("shared", shared)) if not seen]
    assert invalid(view, wanted("own", "shared", viewer=viewer)) == hidden
    assert [name for name in ("own", "shared") if invalid(view, wanted(viewer=viewer, profile=name))] == hidden
    filters, found = view.listing(viewer, Perspective.TEMPLATE)
    assert [each.id for each in filters if each.type == "custom"] == sorted({"own", "shared"} - set(hidden))
    assert [each.id for each in found] == sorted({"own", "shared"} - set(hidden))


def test_a_filter_is_valid_in_its_perspectives_only() -> None:
    view = TenantView(new_record(entries(saved("a", perspectives=frozenset(("agent", "user")))), 1))
    assert invalid(view, wanted("a")) == ["a"]
    assert invalid(view, wanted("a", perspective="agent")) == []
    filters, _ = view.listing(ADMIN, Perspective.TEMPLATE)
    assert [each.id for each in filters] == ["all", "1", "2", "p"]


def test_a_shadowed_entry_neither_hides_nor_limits_what_wins() -> None:
    shadows = (saved("all", owner="zoe"), saved("1", perspectives=frozenset()), saved("x"))
    view = TenantView(new_record(entries(*shadows), 1))
    assert invalid(view, wanted("all", "1", "x", viewer=ANN)) == []
    assert view.details(("1", "all")) == {
        "1": FilterDetail("1", "One", "status", "#111"),
        "all": FilterDetail("all", "All Tickets", "system"),
    }
    plain = TenantView(new_record(entries(saved("x")), 1))
    assert view.plan(wanted("all", "1"), day()).sums == plain.plan(wanted("all", "1"), day()).sums


def test_the_listing_has_all_statuses_priorities_then_filters_by_name() -> None:
    named = [
        msgspec.structs.replace(saved(name), name=title) for name, title in (("f1", "b"), ("f2", "a"), ("f0", "b"))
    ]
    filters, _ = TenantView(new_record(entries(*named), 1)).listing(ADMIN, Perspective.TEMPLATE)
    assert [each.id for each in filters] == ["all", "1", "2", "p", "f2", "f0", "f1"]


def test_a_plan_has_a_sum_for_each_id_in_order_and_then_the_summary_s() -> None:
    view = TenantView(new_record(entries(saved("mine", MINE)), 1))
    plan = view.plan(wanted("mine", "all", viewer=ANN), day())
    numbers = new_record(entries(saved("mine", MINE)), 1).numbers
    assert set(plan.counters) == {"a:ann", "t:net"}
    assert plan.columns == ()
    counters = [{"": {0: 1}, "t:net": {0: 2}}, {"": {0: 5}}]
    read = [counters[0] if name == "a:ann" else counters[1] for name in plan.counters]
    sums = plan.evaluate((), read, (0,) * len(plan.timed))
    assert sums == [3, 3 + 5 - 2, *[0] * len(SUMMARY_KEYS)]
    assert set(numbers.values()) == set(range(len(numbers)))


def test_a_new_filter_exists_at_once_and_is_warming_until_it_is_filled() -> None:
    record = adopted(new_record(entries(saved("a")), 1), entries(saved("a"), saved("b", Leaf("tags", "is_empty"))), 2)
    view = TenantView(record)
    assert invalid(view, wanted("b")) == []
    with pytest.raises(Warming) as warming:
        view.plan(wanted("a", "b"), day())
    assert (warming.value.demands, warming.value.loading) == ((), False)
    view.plan(wanted("a"), day())
    assert view.version == 1
    after = TenantView(completed(record))
    assert after.version == 2
    after.plan(wanted("a", "b"), day())


def test_a_removed_filter_is_invalid_at_once_even_while_others_are_filled() -> None:
    record = adopted(new_record(entries(saved("a")), 1), entries(saved("b", Leaf("tags", "is_empty"))), 2)
    assert record.pending is not None
    assert invalid(TenantView(record), wanted("a")) == ["a"]


def test_an_edited_filter_counts_as_it_did_until_the_new_one_is_filled() -> None:
    old = new_record(entries(saved("a")), 1)
    record = adopted(old, entries(saved("a", Leaf("tags", "is_empty"))), 2)
    request = wanted("a")
    assert TenantView(record).plan(request, day()) == TenantView(old).plan(request, day())
    assert TenantView(completed(record)).plan(request, day()) != TenantView(old).plan(request, day())


def test_a_tenant_that_is_loading_is_warming_as_soon_as_it_says_so_after_ids_were_checked() -> None:
    loading = msgspec.structs.replace(SETTINGS, loading=True)
    view = TenantView(adopted(new_record(entries(), 1), entries(settings=loading), 2))
    with pytest.raises(InvalidIds):
        view.plan(wanted("nothing"), day())
    with pytest.raises(Warming) as warming:
        view.plan(wanted("all"), day())
    assert warming.value.loading


def test_a_profile_s_pairs_are_warming_until_they_are_wanted_and_filled() -> None:
    both = entries(saved("a"), profiles=(Profile("base", "B", Leaf("tags", "is_empty")),))
    record = new_record(both, 1)
    with pytest.raises(Warming) as warming:
        TenantView(record).plan(wanted("a", "all", profile="base"), day())
    assert set(warming.value.demands) == {("base", "a", ""), ("base", "all", ""), ("base", SUMMARY, "")}
    paired = adopted(record, with_demands(both, [ask[:2] for ask in warming.value.demands], ()), 1)
    with pytest.raises(Warming):
        TenantView(paired).plan(wanted("a", profile="base"), day())
    TenantView(completed(paired)).plan(wanted("a", "all", profile="base"), day())


def test_pairs_of_what_there_is_not_are_dropped() -> None:
    both = entries(saved("a"), profiles=(Profile("base", "B", AllOf(())),))
    pairs = [("base", "a"), ("base", "gone"), ("gone", "a"), ("base", SUMMARY), ("base", "1")]
    assert with_demands(both, pairs, ()).pairs == {("base", "a"), ("base", SUMMARY), ("base", "1")}


def test_a_demand_with_calendar_words_on_two_fields_has_a_zone() -> None:
    both = AllOf((Leaf("createdAt", "within", "today"), Leaf("dueAt", "within", "today")))
    record = new_record(entries(saved("both", both)), 1)
    with pytest.raises(Warming) as warming:
        TenantView(record).plan(wanted("both"), day())
    assert warming.value.demands == (("", "both", "UTC"),)


BOB = Viewer("bob", Role.AGENT, frozenset(("dba",)), frozenset(("ticket_agent",)))
EDITED = Leaf("category", "eq", "edited")
OF_BOSS: dict[str, Any] = {"owner": "boss", "shared_with": Sharing(teams=frozenset(("net",)))}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (saved("f", **OF_BOSS), saved("f", EDITED)),
        (saved("f", **OF_BOSS), saved("f", EDITED, owner="boss", shared_with=Sharing(teams=frozenset(("net", "dba"))))),
        (saved("f", owner="ann"), saved("f", EDITED, owner="ann", shared_with=Sharing(frozenset(("ticket_agent",))))),
        (saved("f", perspectives=frozenset(("agent",))), saved("f", EDITED)),
    ],
)
def test_who_sees_an_entry_only_by_an_edit_has_to_wait_for_its_new_meaning(before: Filter, after: Filter) -> None:
    edited = adopted(new_record(entries(before), 1), entries(after), 2)
    view, bob = TenantView(edited), wanted("f", "all", viewer=BOB)
    assert invalid(TenantView(new_record(entries(before), 1)), bob) == ["f"]
    assert invalid(view, bob) == []
    with pytest.raises(Warming) as warming:
        view.plan(bob, day())
    assert (str(warming.value), warming.value.demands) == ("f", ())
    earlier = wanted("f", "all", viewer=ANN, perspective="agent")
    assert view.plan(earlier, day()).sums, "who could see it has the old counts meanwhile"
    TenantView(completed(edited)).plan(bob, day())


def test_a_status_with_the_id_of_a_filter_that_was_private_has_to_wait_too() -> None:
    before, status = entries(saved("f", owner="boss")), Status("f", "F")
    after = entries(settings=msgspec.structs.replace(SETTINGS, statuses=(*SETTINGS.statuses, status)))
    edited = adopted(new_record(before, 1), after, 2)
    with pytest.raises(Warming):
        TenantView(edited).plan(wanted("f", viewer=BOB), day())
    TenantView(completed(edited)).plan(wanted("f", viewer=BOB), day())


def test_a_profile_seen_only_by_an_edit_has_to_be_waited_for_and_one_that_was_seen_counts_as_before() -> None:
    before = entries(saved("f"), profiles=(Profile("base", "Old", VIP, **OF_BOSS),))
    after = entries(saved("f"), saved("g", EDITED), profiles=(Profile("base", "New", EDITED),))
    edited = adopted(new_record(before, 1), after, 2)
    view = TenantView(edited)
    with pytest.raises(Warming) as warming:
        view.plan(wanted("f", viewer=BOB, profile="base"), day())
    assert (str(warming.value), warming.value.demands) == ("base", ())
    with pytest.raises(Warming):
        profile_entries(edited, "base", BOB)
    assert profile_entries(edited, "base", ANN).profiles["base"].where == VIP
    assert profile_entries(completed(edited), "base", BOB).profiles["base"].where == EDITED
    with pytest.raises(InvalidIds):
        profile_entries(edited, "none", ANN)
    assert profile_entries(adopted(new_record(entries(), 1), after, 2), "base", BOB).profiles["base"].where == EDITED


def test_the_list_names_an_edited_entry_as_before_to_who_could_see_it_and_by_its_new_name_to_others() -> None:
    before = entries(saved("f", **OF_BOSS), profiles=(Profile("base", "Old", VIP, **OF_BOSS),))
    renamed = msgspec.structs.replace(saved("f", EDITED, color="#123"), name="New")
    after = entries(renamed, profiles=(Profile("base", "New", EDITED),))
    edited = adopted(new_record(before, 1), after, 2)

    def named(view: TenantView, viewer: Viewer) -> tuple[str, str]:
        filters, (profile,) = view.listing(viewer, Perspective.TEMPLATE)
        return next(one.name for one in filters if one.id == "f"), profile.name

    assert named(TenantView(edited), ANN) == ("Filter f", "Old")
    assert named(TenantView(edited), BOB) == ("New", "New")
    assert named(TenantView(completed(edited)), ANN) == ("New", "New")
