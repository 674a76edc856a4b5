"""Lowered conditions of one tenant: ranks, `state` and `slaBreached` as conditions on stored fields."""

from typing import Any

import pytest

from service.domain.catalogue.catalogue import Priority, Status, TenantSettings
from service.domain.conditions.condition import ALWAYS, NEVER, AllOf, AnyOf, Condition, Leaf, Not
from service.domain.counting.columns import Column, column_id, simplify
from service.domain.tenants.lowering import breached, closed, lower

STATUSES = (Status("new", "N"), Status("wait", "W"), Status("done", "D", closed=True), Status("bin", "B", closed=True))
PRIORITIES = (Priority("hi", "H", 10), Priority("lo", "L", -1), Priority("mid", "M", 5), Priority("mid2", "M", 5))
SETTINGS = TenantSettings("acme", "Acme", "r", STATUSES, PRIORITIES)
SHUT = closed(SETTINGS)
EITHER = simplify(AnyOf((SHUT, Not(SHUT))))
"""Holds for every ticket, but is not the constant."""


def lowered(field: str, op: str, value: Any = None) -> Condition:
    return simplify(lower(Leaf(field, op, value), SETTINGS))


BREACHED = simplify(breached(SETTINGS))


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("lt", "mid", ("lo",)),
        ("le", "mid", ("lo", "mid", "mid2")),
        ("gt", "lo", ("hi", "mid", "mid2")),
        ("ge", "hi", ("hi",)),
        ("between", ("lo", "mid"), ("lo", "mid", "mid2")),
    ],
)
def test_priorities_are_compared_by_rank(op: str, value: object, expected: tuple[str, ...]) -> None:
    assert lowered("priority", op, value) == Leaf("priority", "in", expected)


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [("lt", "done", ("new", "wait")), ("ge", "done", ("bin", "done")), ("between", ("wait", "done"), ("done", "wait"))],
)
def test_statuses_are_compared_by_their_order_in_the_tenant(op: str, value: object, expected: tuple[str, ...]) -> None:
    assert lowered("status", op, value) == Leaf("status", "in", expected)


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("priority", "lt", "lo"), ("priority", "lt", "unknown"), ("priority", "between", ("mid", "lo")),
        ("priority", "between", ("lo", "unknown")), ("status", "gt", "bin"), ("status", "le", "unknown"),
    ],
)  # fmt: skip
def test_what_has_no_rank_or_swapped_ends_matches_nothing(field: str, op: str, value: object) -> None:
    assert lowered(field, op, value) == NEVER


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("eq", "closed", SHUT),
        ("eq", "open", Not(SHUT)),
        ("ne", "closed", Not(SHUT)),
        ("in", ("open", "closed"), EITHER),
        ("in", (), NEVER),
        ("nin", (), EITHER),
        ("nin", ("open",), SHUT),
        ("eq", "pending", NEVER),
        ("ne", "pending", EITHER),
        ("lt", "open", SHUT),
        ("starts_with", "CL", SHUT),
        ("not_contains", "o", NEVER),
        ("is_empty", None, NEVER),
        ("is_not_empty", None, ALWAYS),
    ],
)
def test_state_is_closed_or_open_and_never_empty(op: str, value: object, expected: Condition) -> None:
    assert lowered("state", op, value) == expected


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("is_true", None, BREACHED), ("is_false", None, Not(BREACHED)), ("eq", True, BREACHED),
        ("ne", True, Not(BREACHED)), ("in", (False,), Not(BREACHED)), ("nin", (False,), BREACHED),
        ("is_empty", None, NEVER),
    ],
)  # fmt: skip
def test_breached_is_true_or_false_and_never_empty(op: str, value: object, expected: Condition) -> None:
    assert lowered("slaBreached", op, value) == expected


def test_everything_else_stays_and_trees_are_lowered_throughout() -> None:
    plain = Leaf("team", "eq", "net")
    tree = AllOf((plain, AnyOf((Not(Leaf("state", "eq", "closed")), Leaf("priority", "gt", "mid")))))
    expected = AllOf((plain, AnyOf((Not(AnyOf((SHUT,))), Leaf("priority", "in", ("hi",))))))
    assert lower(tree, SETTINGS) == expected


def test_a_status_that_changes_its_mind_or_is_new_gives_another_column() -> None:
    reopened = (*STATUSES[:2], Status("done", "D"), STATUSES[3])
    added = (*STATUSES, Status("new2", "N"))
    renamed = (Status("new", "Renamed"), *STATUSES[1:])
    several = [TenantSettings("a", "A", "r", each) for each in (STATUSES, reopened, added, renamed)]
    ids = [column_id(Column(closed(settings))) for settings in several]
    assert len({*ids[:3]}) == 3
    assert ids[3] == ids[0]
