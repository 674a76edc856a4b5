"""Every operator on every kind of value: results, the rules for null and mistyped values, and JSON numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.conditions.condition import At, FromNow, Leaf
from service.domain.conditions.fields import kind_of
from service.domain.conditions.operators import AGES, EVERY_OPERATOR, OPERATORS, WITHOUT_VALUE
from service.domain.conditions.predicates import predicate
from service.domain.tickets.instant import parse_instant

NOW = parse_instant("2026-11-21T12:00:00Z")
DAY_US = 86_400_000_000

EARLY, SAME_EARLY, LATE = "2026-11-20T12:00:00Z", "2026-11-20T23:30:00+11:30", "2026-11-22T12:00:00Z"
AT_EARLY, AT_LATE = At(parse_instant(EARLY)), At(parse_instant(LATE))

EMPTY: tuple[object, ...] = (None, "", [], ())


def holds(field: str, op: str, value: object, found: object, now: int = NOW) -> bool:
    result = predicate(Leaf(field, op, value))(found, now)
    assert result is True or result is False
    return result


TEXT: list[tuple[str, Any, tuple[object, ...], tuple[object, ...]]] = [
    ("eq", "Net", ("Net",), ("net", "Nets", None)),
    ("eq", "", (), ("", "x", None)),
    ("ne", "Net", ("net", None), ("Net",)),
    ("in", ("a", "b"), ("a", "b"), ("c", "A", None)),
    ("in", (), (), ("a", None)),
    ("nin", ("a", "b"), ("c", None), ("a", "b")),
    ("is_empty", None, (None, ""), ("x", " ")),
    ("is_not_empty", None, ("x",), (None, "")),
    ("contains", "SS", ("Straße", "ss"), ("s", None)),
    ("contains", "", ("x",), (None, "")),
    ("not_contains", "ss", ("s", None), ("STRASSE", "straße")),
    ("starts_with", "net", ("NETWORK", "net"), ("subnet", "ne", None)),
    ("ends_with", "NET", ("subnet", "net"), ("network", None)),
]

CODE_POINTS: list[tuple[str, Any, tuple[object, ...], tuple[object, ...]]] = [
    ("lt", "b", ("a", "B", "aa"), ("b", "ba", "é", None, "")),
    ("le", "b", ("a", "b"), ("ba", None)),
    ("gt", "b", ("ba", "é", "c"), ("b", "B", None)),
    ("ge", "b", ("b", "c"), ("B", None, "")),
    ("between", ("a", "b"), ("a", "ab", "b"), ("ba", "A", None)),
    ("between", ("b", "a"), (), ("a", "ab", "b", None)),
]


@pytest.mark.parametrize("field", ["category", "team", "assignee", "requester", "status", "priority", "fields.x"])
@pytest.mark.parametrize(("op", "value", "yes", "no"), TEXT)
def test_texts_and_ids(field: str, op: str, value: Any, yes: tuple[object, ...], no: tuple[object, ...]) -> None:
    assert [holds(field, op, value, found) for found in yes + no] == [True] * len(yes) + [False] * len(no)


@pytest.mark.parametrize("field", ["category", "team", "assignee", "requester", "fields.x"])
@pytest.mark.parametrize(("op", "value", "yes", "no"), CODE_POINTS)
def test_texts_in_the_order_of_code_points(
    field: str, op: str, value: Any, yes: tuple[object, ...], no: tuple[object, ...]
) -> None:
    assert [holds(field, op, value, found) for found in yes + no] == [True] * len(yes) + [False] * len(no)


INSTANTS: list[tuple[str, Any, tuple[int, ...], tuple[int, ...]]] = [
    # Values are microseconds relative to NOW.
    ("eq", AT_EARLY, (-DAY_US,), (-DAY_US + 1, 0)),
    ("ne", AT_EARLY, (0,), (-DAY_US,)),
    ("in", (AT_EARLY, FromNow(5)), (-DAY_US, 5), (0, 6)),
    ("nin", (AT_EARLY, FromNow(5)), (0, 6), (-DAY_US, 5)),
    ("lt", AT_LATE, (0, DAY_US - 1), (DAY_US,)),
    ("before", AT_LATE, (0, DAY_US - 1), (DAY_US,)),
    ("le", AT_LATE, (DAY_US,), (DAY_US + 1,)),
    ("gt", FromNow(-7), (-6, 0), (-7, -8)),
    ("after", FromNow(-7), (-6, 0), (-7, -8)),
    ("ge", FromNow(-7), (-7,), (-8,)),
    ("between", (AT_EARLY, FromNow(0)), (-DAY_US, -1, 0), (-DAY_US - 1, 1)),
    ("between", (FromNow(0), AT_EARLY), (), (-DAY_US, -1, 0)),
    ("older_than", 9, (-9, -10), (-8, 0, 9)),
    ("newer_than", 9, (-8, 0, 9), (-9, -10)),
    ("due_within", 9, (0, 9), (-1, 10)),
    ("is_empty", None, (), (0,)),
    ("is_not_empty", None, (0, -NOW), ()),
]


@pytest.mark.parametrize(("op", "value", "yes", "no"), INSTANTS)
def test_instants(op: str, value: Any, yes: tuple[int, ...], no: tuple[int, ...]) -> None:
    expected = [True] * len(yes) + [False] * len(no)
    assert [holds("dueAt", op, value, NOW + offset) for offset in yes + no] == expected
    assert holds("dueAt", op, value, None) is (op in ("ne", "nin", "is_empty"))


@pytest.mark.parametrize(
    ("op", "value", "yes", "no"),
    [
        ("eq", EARLY, (EARLY, SAME_EARLY, "2026-11-20t12:00:00.0z"), (LATE, "soon", 5, None)),
        ("ne", EARLY, (LATE, "soon", 5, None), (EARLY, SAME_EARLY)),
        ("in", (LATE, "soon"), (LATE, "soon"), (EARLY, "Soon", "")),
        ("in", (FromNow(DAY_US), 5), (LATE, 5), (EARLY, "5", NOW + DAY_US)),
        ("lt", "2026-11-20T12:00:01Z", (SAME_EARLY, "2026"), (LATE, "soon", 5, None)),
        ("ge", FromNow(0), (LATE,), (EARLY, "soon", NOW, None)),
        ("before", AT_LATE, (EARLY,), (LATE, "1", "", NOW)),
        ("between", (EARLY, EARLY), (EARLY, SAME_EARLY), (LATE,)),
        ("older_than", DAY_US, (EARLY, SAME_EARLY), (LATE, "old", 5, None)),
        ("newer_than", DAY_US, (LATE,), (EARLY, "new", None)),
        ("due_within", DAY_US, (LATE,), (EARLY, True, None)),
        ("lt", "soon", (EARLY, "rather"), ("sooner", 5)),
    ],
)
def test_instants_in_custom_fields_are_texts_that_name_one(
    op: str, value: Any, yes: tuple[object, ...], no: tuple[object, ...]
) -> None:
    assert [holds("fields.x", op, value, found) for found in yes + no] == [True] * len(yes) + [False] * len(no)


def test_an_id_that_looks_like_an_instant_is_still_text() -> None:
    assert holds("category", "eq", EARLY, EARLY)
    assert not holds("category", "eq", EARLY, SAME_EARLY)
    assert holds("category", "gt", EARLY, SAME_EARLY)


@pytest.mark.parametrize(
    ("op", "value", "yes", "no"),
    [
        ("eq", 1, (1, 1.0), (True, "1", 1.5, [1], {"1": 1}, None)),
        ("eq", True, (True,), (1, 1.0, "true", False, None)),
        ("eq", 0, (0, 0.0, -0.0), (False, None, "", [])),
        ("eq", False, (False,), (0, None, "")),
        ("eq", 2**53 + 1, (2**53 + 1,), (2**53, float(2**53))),
        ("ne", 1, (True, "1", [1], {}, None, 2), (1, 1.0)),
        ("in", (1, "a", False), (1.0, "a", False), (True, 0, "1", ["a"], None)),
        ("nin", (1, "a"), (True, ["a"], {}, None), (1, "a")),
        ("lt", 2, (1, 1.5, -(10**30)), (2, True, "1", [1], None)),
        ("ge", 0.5, (1, 0.5, 10**400), (0, True, "a", {}, None)),
        ("between", (1, 2), (1, 1.5, 2.0), (0, 3, True, "1", None)),
        ("between", (1, "z"), (), (1, "a")),
        ("gt", False, (), (True, 1, "a")),
        ("is_true", None, (True,), (1, "true", False, None)),
        ("is_false", None, (False,), (0, None, "", "false")),
        ("is_empty", None, EMPTY, (0, False, {}, [None], " ")),
        ("is_not_empty", None, (0, False, {}, [None], " "), EMPTY),
        ("contains", "1", ("A1",), (1, ["1"], True, None)),
        ("not_contains", "1", (1, ["1"], {}, "a", None), ("A1",)),
        ("contains_any", (1, "a"), ([1.0], ["b", "a"], [{}, 1]), ([True], ["A"], [[1]], "a", 1, [], None)),
        ("contains_all", (1, "a"), ([1, "a", {}], ["a", 1.0, 2]), ([1], ["a", True], "a", [], None)),
        ("contains_all", (), ([None],), ([], "a", None)),
        ("contains_none", (1, "a"), (["b"], [True], [[1]], "a", 1, [], None), ([1.0], ["b", "a"])),
    ],
)
def test_custom_fields_go_by_the_type_of_each_value(
    op: str, value: Any, yes: tuple[object, ...], no: tuple[object, ...]
) -> None:
    assert [holds("fields.x", op, value, found) for found in yes + no] == [True] * len(yes) + [False] * len(no)


@pytest.mark.parametrize(
    ("op", "value", "yes", "no"),
    [
        ("contains_any", ("vip", "x"), (("a", "vip"),), (("VIP",), ())),
        ("contains_all", ("vip", "x"), (("x", "y", "vip"),), (("vip",), ())),
        ("contains_none", ("vip", "x"), (("a",), ()), (("a", "x"),)),
        ("is_empty", None, ((),), (("",),)),
        ("is_not_empty", None, (("",),), ((),)),
    ],
)
def test_tags(op: str, value: Any, yes: tuple[object, ...], no: tuple[object, ...]) -> None:
    assert [holds("tags", op, value, found) for found in yes + no] == [True] * len(yes) + [False] * len(no)


def test_the_flag() -> None:
    results = {
        op: (holds("slaBreached", op, None, True), holds("slaBreached", op, None, False)) for op in WITHOUT_VALUE
    }
    assert results == {
        "is_true": (True, False),
        "is_false": (False, True),
        "is_empty": (False, False),
        "is_not_empty": (True, True),
    }
    assert [holds("slaBreached", "nin", (True,), found) for found in (True, False)] == [False, True]


@pytest.mark.parametrize(
    "leaf",
    [
        *(Leaf(field, op, "1") for field in ("status", "priority") for op in ("lt", "le", "gt", "ge")),
        Leaf("priority", "between", ("1", "2")),
        Leaf("state", "eq", "open"),
        Leaf("state", "is_empty"),
        Leaf("dueAt", "within", "today"),
        Leaf("fields.x", "within", "today"),
        Leaf("tags", "eq", "a"),
        Leaf("nothing", "eq", "a"),
    ],
)
def test_what_needs_more_than_the_value_is_refused(leaf: Leaf) -> None:
    with pytest.raises(ValueError, match="isn't decided by the field's value alone"):
        predicate(leaf)


SCALARS = st.booleans() | st.integers(-2, 2) | st.sampled_from((0.5, 1.0)) | st.sampled_from(("", "a", "B", "1", EARLY))
FOUND = st.none() | SCALARS | st.lists(SCALARS | st.none() | st.lists(SCALARS, max_size=1), max_size=3)
OPPOSITE = {"ne": "eq", "nin": "in", "not_contains": "contains", "contains_none": "contains_any"}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), SCALARS),
    **dict.fromkeys(("in", "nin", "contains_any", "contains_all", "contains_none"), st.lists(SCALARS).map(tuple)),
    **dict.fromkeys(("contains", "not_contains", "starts_with", "ends_with"), st.sampled_from(("", "a", "B"))),
    **dict.fromkeys(AGES, st.integers(0, 10)),
    **dict.fromkeys(WITHOUT_VALUE, st.none()),
    **dict.fromkeys(("before", "after"), st.just(AT_LATE) | st.just(FromNow(0))),
    "between": st.tuples(SCALARS, SCALARS),
}


@given(FOUND, st.data())
def test_empty_fields_match_the_negative_operators_and_no_other(found: object, data: st.DataObject) -> None:
    op = data.draw(st.sampled_from(sorted(VALUES)))
    value = data.draw(VALUES[op])
    assert holds("fields.x", "is_empty", None, found) is (found in (None, "", []))
    assert holds("fields.x", op, value, None) is (op in OPPOSITE or op == "is_empty")
    for empty in EMPTY:
        assert holds("fields.x", op, value, empty) is holds("fields.x", op, value, None)
    if op in OPPOSITE:
        assert holds("fields.x", op, value, found) is not holds("fields.x", OPPOSITE[op], value, found)
    if op == "between":
        low, high = holds("fields.x", "ge", value[0], found), holds("fields.x", "le", value[1], found)
        assert holds("fields.x", op, value, found) is (low and high)


def test_no_operator_was_forgotten() -> None:
    assert set(VALUES) == EVERY_OPERATOR - {"within"}
    assert all(kind_of(field) in OPERATORS for field in ("status", "team", "dueAt", "slaBreached", "tags", "fields.x"))
