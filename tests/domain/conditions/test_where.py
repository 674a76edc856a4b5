"""Valid `where` objects, and the conditions that they compile to."""

import msgspec
import pytest

from service.domain.conditions.condition import (
    AllOf,
    AnyOf,
    Asks,
    At,
    Condition,
    ConditionError,
    FromNow,
    Leaf,
    Not,
    Question,
)
from service.domain.conditions.where import parse_where
from service.domain.tickets.instant import parse_instant

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
NOON = "2026-11-21T12:00:00Z"
AT_NOON = At(parse_instant(NOON))

TEXT_FIELDS = ("category", "team", "assignee", "requester")
RANKED_FIELDS = ("status", "priority")
INSTANT_FIELDS = ("createdAt", "updatedAt", "dueAt", "slaDueAt", "closedAt")

COMPARING = {"eq", "ne", "in", "nin", "lt", "le", "gt", "ge", "between"}
EMPTY = {"is_empty", "is_not_empty"}
TEXT = {"contains", "not_contains", "starts_with", "ends_with"}
LISTS = {"contains_any", "contains_all", "contains_none"}
FLAGS = {"is_true", "is_false"}
TIMES = {"before", "after", "older_than", "newer_than", "due_within", "within"}
EVERYTHING = COMPARING | EMPTY | TEXT | LISTS | FLAGS | TIMES

TAKES: dict[str, set[str]] = {
    **dict.fromkeys((*TEXT_FIELDS, *RANKED_FIELDS, "state"), COMPARING | EMPTY | TEXT),
    **dict.fromkeys(INSTANT_FIELDS, COMPARING | EMPTY | TIMES),
    "slaBreached": {"eq", "ne", "in", "nin"} | EMPTY | FLAGS,
    "tags": LISTS | EMPTY,
    "fields.any.name at all": EVERYTHING,
}


def leaf(field: str, op: str, *value: object) -> dict[str, object]:
    return {"field": field, "op": op, "value": value[0]} if value else {"field": field, "op": op}


def fitting(field: str, op: str) -> dict[str, object]:
    """Returns a leaf with a valid value for its field and operator."""
    if op in EMPTY | FLAGS:
        return leaf(field, op)
    special = {"older_than": "P1D", "newer_than": "P1D", "due_within": "P1D", "within": "today"}
    special |= {"before": NOON, "after": NOON}
    one: object = special.get(op, "x")
    if op not in special:
        if field in INSTANT_FIELDS:
            one = NOON
        elif field == "slaBreached":
            one = True
    if op == "between":
        return leaf(field, op, [one, one])
    return leaf(field, op, [one] if op in LISTS | {"in", "nin"} else one)


def problem(node: object) -> str:
    with pytest.raises(ConditionError) as caught:
        parse_where(node)
    assert str(caught.value) == f"{caught.value.path}: {caught.value.problem}"
    return str(caught.value)


@pytest.mark.parametrize("field", TAKES)
@pytest.mark.parametrize("op", sorted(EVERYTHING))
def test_a_field_takes_the_operators_of_its_kind_and_no_other(field: str, op: str) -> None:
    if op in TAKES[field]:
        compiled = parse_where(fitting(field, op))
        assert isinstance(compiled, Leaf)
        assert (compiled.field, compiled.op) == (field, op)
    else:
        assert problem(fitting(field, op)) == f"where.op: {op} doesn't apply to {field}"


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (leaf("status", "eq", "3747"), Leaf("status", "eq", "3747")),
        (leaf("priority", "ge", "4197"), Leaf("priority", "ge", "4197")),
        (leaf("priority", "between", ["1", "2"]), Leaf("priority", "between", ("1", "2"))),
        (leaf("team", "nin", ["a", "b"]), Leaf("team", "nin", ("a", "b"))),
        (leaf("team", "in", []), Leaf("team", "in", ())),
        (leaf("category", "eq", ""), Leaf("category", "eq", "")),
        (leaf("dueAt", "is_empty"), Leaf("dueAt", "is_empty")),
        (leaf("dueAt", "is_empty", None), Leaf("dueAt", "is_empty")),
        (leaf("dueAt", "before", NOON), Leaf("dueAt", "before", AT_NOON)),
        (leaf("dueAt", "after", "@now-PT24H"), Leaf("dueAt", "after", FromNow(-DAY_US))),
        (leaf("dueAt", "eq", "@now+P1W"), Leaf("dueAt", "eq", FromNow(7 * DAY_US))),
        (leaf("dueAt", "between", ["@now", NOON]), Leaf("dueAt", "between", (FromNow(0), AT_NOON))),
        (leaf("dueAt", "in", [NOON, "@now"]), Leaf("dueAt", "in", (AT_NOON, FromNow(0)))),
        (leaf("dueAt", "within", "this_week"), Leaf("dueAt", "within", "this_week")),
        (leaf("dueAt", "older_than", "PT1.5S"), Leaf("dueAt", "older_than", 1_500_000)),
        (leaf("slaBreached", "ne", False), Leaf("slaBreached", "ne", False)),
        (leaf("tags", "contains_any", ["vip"]), Leaf("tags", "contains_any", ("vip",))),
        (leaf("state", "in", ["open", "closed"]), Leaf("state", "in", ("open", "closed"))),
        (leaf("fields.a.b", "eq", "@nowhere"), Leaf("fields.a.b", "eq", "@nowhere")),
        (leaf("fields.a", "ge", "@now"), Leaf("fields.a", "ge", FromNow(0))),
        (leaf("fields.a", "ge", NOON), Leaf("fields.a", "ge", NOON)),
        (leaf("fields.a", "before", NOON), Leaf("fields.a", "before", AT_NOON)),
        (leaf("fields.a", "contains", "@now"), Leaf("fields.a", "contains", "@now")),
        (leaf("fields.a", "in", [1, "1", True, 1.5]), Leaf("fields.a", "in", (1, "1", True, 1.5))),
        ({"not": leaf("team", "is_empty")}, Not(Leaf("team", "is_empty"))),
    ],
)
def test_a_node_means_its_condition(node: object, expected: Condition) -> None:
    assert parse_where(node) == expected


@pytest.mark.parametrize("field", TAKES)
@pytest.mark.parametrize("op", sorted(EVERYTHING))
def test_what_compiles_comes_back_from_the_store_as_it_was(field: str, op: str) -> None:
    if op in TAKES[field]:
        compiled = AllOf((parse_where(fitting(field, op)), Leaf("fields.x", "nin", (True, 1, 1.5, "1", FromNow(-1)))))
        stored = msgspec.msgpack.encode(compiled)
        again = msgspec.msgpack.decode(stored, type=Condition)
        assert again == compiled
        assert msgspec.msgpack.encode(again) == stored


def test_both_lists_of_a_flat_node_must_hold_and_an_empty_one_says_nothing() -> None:
    one, two, three = ({"field": "status", "op": "eq", "value": v} for v in "123")
    first, second, third = (Leaf("status", "eq", v) for v in "123")
    assert parse_where({"all": [one], "any": [two, three]}) == AllOf((first, AnyOf((second, third))))
    assert parse_where({"all": [one, two], "any": []}) == AllOf((first, second))
    assert parse_where({"any": [one, two], "all": []}) == AnyOf((first, second))
    assert parse_where({"all": [{"any": [], "all": [one]}]}) == AllOf((AllOf((first,)),))


def test_true_is_not_one_and_one_is_written_like_one_point_zero() -> None:
    values = [parse_where(leaf("fields.a", "eq", value)) for value in (True, 1, 1.0, -0.0, 2.5, 1e300)]
    kinds = [(type(each.value), each.value) for each in values if isinstance(each, Leaf)]
    assert kinds == [(bool, True), (int, 1), (int, 1), (int, 0), (float, 2.5), (float, 1e300)]


ME, MY_TEAMS, REQUESTED = Asks(Question.ASSIGNED), Asks(Question.TEAM), Asks(Question.REQUESTED)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (leaf("assignee", "eq", "@me"), ME),
        (leaf("assignee", "ne", "@me"), Not(ME)),
        (leaf("requester", "in", "@me"), REQUESTED),
        (leaf("requester", "nin", ["@me"]), Not(REQUESTED)),
        (leaf("team", "in", "@my_teams"), MY_TEAMS),
        (leaf("team", "eq", "@my_teams"), MY_TEAMS),
        (leaf("assignee", "in", ["@me", "x", "@me"]), AnyOf((ME, Leaf("assignee", "in", ("x",))))),
        (leaf("team", "nin", ["x", "@my_teams"]), Not(AnyOf((MY_TEAMS, Leaf("team", "in", ("x",)))))),
    ],
)
def test_the_viewer_is_asked_about_by_a_question(node: object, expected: Condition) -> None:
    assert parse_where(node) == expected


@pytest.mark.parametrize("word", ["@me", "@my_teams"])
@pytest.mark.parametrize("field", TAKES)
@pytest.mark.parametrize("op", sorted(EVERYTHING))
def test_the_viewer_stands_nowhere_else(field: str, op: str, word: str) -> None:
    meant = "@my_teams" if field == "team" else "@me"
    if field in ("assignee", "requester", "team") and op in ("eq", "ne", "in", "nin") and word == meant:
        return
    assert problem(leaf(field, op, word)).startswith(("where.value: ", "where.op: "))
    assert problem(leaf(field, op, ["x", word])).startswith(("where.value", "where.op: "))
    if op in TAKES[field] & (LISTS | {"in", "nin"}) and field not in (*INSTANT_FIELDS, "slaBreached"):
        assert problem(leaf(field, op, ["x", word])).startswith(f"where.value[1]: {word} goes only with ")
