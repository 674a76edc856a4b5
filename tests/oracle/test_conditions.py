"""Examples of conditions: null, types, negatives, ranks, time, the viewer, and conditions that don't compile."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.oracle.conditions import ConditionContext, holds
from tests.oracle.generated.grammar import DoesNotCompile, check
from tests.oracle.instants import parse_instant
from tests.oracle.tickets import Ticket

NOW = parse_instant("2026-11-21T10:15:00Z")
TENANT = {
    "statuses": [{"id": "b", "closed": False}, {"id": "a", "closed": True}],
    "priorities": [{"id": "low", "rank": 0}, {"id": "high", "rank": 10}],
}
NEGATIVE = {"ne": "x", "nin": ["x"], "not_contains": "x", "contains_none": ["x"]}
OTHERS = {
    "eq": "x", "in": ["x"], "lt": 1, "le": 1, "gt": 1, "ge": 1, "between": [0, 1], "is_not_empty": None, "contains": "",
    "starts_with": "", "ends_with": "", "contains_any": ["x"], "contains_all": ["x"], "is_true": None, "is_false": None,
    "before": "@now", "after": "@now", "older_than": "P1D", "newer_than": "P1D", "due_within": "P1D", "within": "today",
}  # fmt: skip
NOTHING = object()


def leaf(field: str, op: str, value: Any = NOTHING) -> dict[str, Any]:
    return {"field": field, "op": op} if value is NOTHING else {"field": field, "op": op, "value": value}


def fits(where: dict[str, Any], timezone: str = "UTC", *, teams: Iterable[str] = (), **data: Any) -> bool:
    check(where)
    ticket = Ticket(1, "ticket.updated", {"status": "b", "createdAt": "2026-11-21T08:00:00Z", **data})
    return holds(where, ticket, ConditionContext(TENANT, "ann", frozenset(teams), NOW, timezone))


def custom(op: str, value: Any, wanted: Any = NOTHING) -> bool:
    return fits(leaf("fields.x", op, wanted), fields={"x": value})


@pytest.mark.parametrize("empty", [None, "", []])
def test_an_empty_field_matches_is_empty_and_the_negative_operators_only(empty: object) -> None:
    assert custom("is_empty", empty)
    assert all(custom(op, empty, wanted) for op, wanted in NEGATIVE.items())
    assert not any(custom(op, empty, wanted) for op, wanted in OTHERS.items())
    assert fits(leaf("fields.missing", "is_empty"))
    assert not custom("eq", empty, "")


@pytest.mark.parametrize("other", [True, {"a": 1}])
def test_a_value_of_another_type_matches_the_negative_operators_and_is_not_empty(other: object) -> None:
    assert all(custom(op, other, wanted) for op, wanted in NEGATIVE.items())
    typed = {op: wanted for op, wanted in OTHERS.items() if op not in ("is_not_empty", "is_true")}
    assert not any(custom(op, other, wanted) for op, wanted in typed.items())
    assert custom("is_not_empty", other)
    assert not custom("is_empty", other)


def test_not_is_plain_negation_and_differs_from_the_negative_operators() -> None:
    at_least = {"not": leaf("fields.x", "lt", 5)}
    assert fits(at_least, fields={"x": None})
    assert not fits(leaf("fields.x", "ge", 5), fields={"x": None})
    assert not fits({"not": leaf("assignee", "ne", "ann")}, assignee=None)
    assert fits({"not": leaf("assignee", "eq", "ann")}, assignee=None)


def test_nothing_is_converted_but_1_is_1_0() -> None:
    assert custom("eq", 1, 1.0)
    assert custom("in", 1.0, [2, 1])
    for value, wanted in (("1", 1), (1, "1"), (True, 1), (1, True), (False, 0), ("true", True)):
        assert not custom("eq", value, wanted)
        assert custom("ne", value, wanted)
    assert not custom("lt", "0", 1)
    assert not custom("lt", False, 1)
    assert not custom("is_false", 0)


def test_tags_and_list_fields_take_the_list_operators() -> None:
    assert fits(leaf("tags", "contains_all", ["b", "a"]), tags=["a", "b", "c"])
    assert not fits(leaf("tags", "contains_all", ["a", "d"]), tags=["a", "b"])
    assert fits(leaf("tags", "contains_any", ["d", "a"]), tags=["a"])
    assert not fits(leaf("tags", "contains_any", ["A"]), tags=["a"])
    assert fits(leaf("tags", "contains_none", ["d"]), tags=["a"])
    assert custom("contains_any", [1, True], [1.0])
    assert not custom("contains_any", "P-424", ["P-424"])
    assert not custom("eq", ["a"], "a")
    assert not custom("contains", ["abc"], "b")


def test_text_operators_fold_case_and_eq_is_exact() -> None:
    assert custom("contains", "STRASSE", "aße")
    assert custom("starts_with", "Straße", "STRASS")
    assert custom("ends_with", "ABC", "c")
    assert not custom("not_contains", "ABC", "b")
    assert not custom("eq", "ABC", "abc")
    assert fits(leaf("team", "contains", "NET"), team="network")


def test_priorities_are_ordered_by_rank_and_statuses_by_their_place() -> None:
    assert fits(leaf("priority", "gt", "low"), priority="high")
    assert not fits(leaf("priority", "lt", "low"), priority="high")
    assert fits(leaf("status", "lt", "a"), status="b")
    for op in ("lt", "le", "gt", "ge"):
        assert not fits(leaf("priority", op, "low"), priority="unheard of")
        assert not fits(leaf("priority", op, "unheard of"), priority="high")


def test_between_includes_both_ends_and_swapped_ends_match_nothing() -> None:
    assert custom("between", 1, [1, 2])
    assert custom("between", 2.0, [1, 2])
    assert not custom("between", 1.5, [2, 1])
    assert custom("between", "b", ["a", "b"])


def test_the_viewer_stands_for_me_and_my_teams() -> None:
    teams = frozenset({"network", "phones"})
    assert fits(leaf("assignee", "eq", "@me"), assignee="ann")
    assert fits(leaf("requester", "in", ["bob", "@me"]), requester="ann")
    assert fits(leaf("team", "in", "@my_teams"), teams=teams, team="phones")
    assert fits(leaf("team", "eq", "@my_teams"), teams=teams, team="phones")
    assert not fits(leaf("team", "nin", ["@my_teams", "x"]), teams=teams, team="phones")
    assert not fits(leaf("team", "in", "@my_teams"), team="phones")
    assert fits(leaf("team", "ne", "@my_teams"), teams=teams, team=None)


def test_instants_compare_whatever_their_spelling() -> None:
    due: Any = {"dueAt": "2026-11-21T16:00:00+05:45"}
    assert fits(leaf("dueAt", "eq", "2026-11-21T10:15:00.000Z"), **due)
    assert fits(leaf("dueAt", "eq", "@now"), **due)
    assert fits(leaf("dueAt", "in", ["@now-PT24H", "@now"]), **due)
    assert not fits(leaf("dueAt", "before", "@now"), **due)
    assert not fits(leaf("dueAt", "after", "@now"), **due)
    assert fits(leaf("dueAt", "between", ["@now", "@now+P1D"]), **due)


@pytest.mark.parametrize(
    ("op", "hits"),
    [("older_than", [True, True, False]), ("newer_than", [False, False, True]), ("due_within", [False, False, True])],
)
def test_spans_of_time_begin_and_end_as_the_contract_says(op: str, hits: list[bool]) -> None:
    at = ("2026-11-20T10:14:59Z", "2026-11-20T10:15:00Z", "2026-11-21T10:15:00Z")
    assert [fits(leaf("updatedAt", op, "P1D"), updatedAt=one) for one in at] == hits
    assert fits(leaf("dueAt", "due_within", "P1D"), dueAt="2026-11-22T10:15:00Z")
    assert not fits(leaf("dueAt", "due_within", "P1D"), dueAt="2026-11-22T10:15:00.000001Z")


def test_calendar_words_are_those_of_the_viewers_zone() -> None:
    # 21 November 2026 is a Saturday; in Kiritimati it is already Sunday.
    cases = {"today": "20T23:59:59", "yesterday": "20T00:00:00", "tomorrow": "22T00:00:00", "this_week": "16T00:00:00"}
    assert [fits(leaf("dueAt", "within", word), dueAt=f"2026-11-{at}Z") for word, at in cases.items()] == [
        False, True, True, True,
    ]  # fmt: skip
    assert fits(leaf("dueAt", "within", "today"), "Pacific/Kiritimati", dueAt="2026-11-22T09:59:59Z")
    assert not fits(leaf("dueAt", "within", "today"), "Pacific/Kiritimati", dueAt="2026-11-22T10:00:00Z")
    assert not fits(leaf("dueAt", "within", "this_month"), dueAt="2026-12-01T00:00:00Z")


def test_breached_is_the_flag_or_an_open_ticket_past_its_deadline_and_never_empty() -> None:
    past = "2026-11-21T10:14:59Z"
    assert fits(leaf("slaBreached", "is_true"), slaDueAt=past)
    assert fits(leaf("slaBreached", "eq", False), slaDueAt=past, status="a")
    assert fits(leaf("slaBreached", "is_true"), slaBreached=True, status="a")
    assert fits(leaf("slaBreached", "is_not_empty"))
    assert fits(leaf("state", "eq", "open"), status="unheard of")


def test_all_and_any_in_one_object_must_both_hold() -> None:
    yes, no = leaf("status", "eq", "b"), leaf("status", "eq", "a")
    assert fits({"all": [yes], "any": [no, yes]})
    assert not fits({"all": [yes], "any": [no]})
    assert fits({"all": [yes], "any": []})
    assert not fits({"all": [], "any": [no]})


GOOD = leaf("status", "eq", "a")


def nested(levels: int) -> dict[str, Any]:
    node = GOOD
    for _ in range(levels - 1):
        node = {"not": node}
    return node


@pytest.mark.parametrize(
    "where",
    [
        None, [], {}, {"all": []}, {"all": [], "any": []}, {"all": [GOOD], "not": GOOD}, {"any": GOOD},
        {"not": [GOOD]}, {**GOOD, "note": 1}, {"all": [GOOD], "note": 1}, leaf("status", "eq"), {"field": "status"},
        leaf("colour", "eq", "a"), leaf("fields.", "eq", "a"), leaf("status", "before", "@now"),
        leaf("status", "is_true"), leaf("tags", "eq", "a"), leaf("tags", "in", ["a"]), leaf("dueAt", "contains", "2"),
        leaf("team", "contains_any", ["a"]), leaf("status", "EQ", "a"), leaf("dueAt", "older_than", "P1M"),
        leaf("dueAt", "older_than", "P1Y"), leaf("dueAt", "within", "next_week"), leaf("dueAt", "before", "@now-"),
        leaf("dueAt", "before", "2026-11-21"), leaf("dueAt", "eq", "soon"), leaf("team", "eq", "@me"),
        leaf("assignee", "in", ["@my_teams"]), leaf("fields.x", "eq", "@me"), leaf("assignee", "contains", "@me"),
        leaf("status", "in", ["x"] * 201), {"any": [GOOD] * 65}, nested(9),
    ],
)  # fmt: skip
def test_what_lies_outside_the_language_does_not_compile(where: object) -> None:
    with pytest.raises(DoesNotCompile, match=r"^where"):
        check(where)


def test_the_limits_themselves_compile() -> None:
    check({"any": [GOOD] * 64})
    check(nested(8))
    check(leaf("status", "in", ["x"] * 200))


def test_the_path_of_the_bad_node_is_said() -> None:
    with pytest.raises(DoesNotCompile, match=r"^where\.all\[1\]\.not\.op: "):
        check({"all": [GOOD, {"not": leaf("status", "is_true")}]})
