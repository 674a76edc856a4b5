"""Transitions of time-dependent leaves, compared with the definition at every instant; and how they combine."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.conditions.condition import At, FromNow, Leaf
from service.domain.conditions.predicates import predicate, time_dependent, transitions_of
from service.domain.conditions.transitions import (
    AT_ALL_TIMES,
    AT_NO_TIME,
    BEGINNING,
    Transitions,
    both,
    either,
    held,
    inverted,
)
from service.domain.tickets.instant import format_instant_exactly

SMALL = st.integers(-12, 12)
MOVING = st.builds(FromNow, SMALL)
INSTANT = MOVING | st.builds(At, SMALL)
LEAVES = (
    st.tuples(st.sampled_from(("eq", "ne", "lt", "le", "gt", "ge", "before", "after")), MOVING)
    | st.tuples(st.sampled_from(("in", "nin")), st.tuples(MOVING, INSTANT, INSTANT))
    | st.tuples(st.just("between"), st.tuples(MOVING, INSTANT) | st.tuples(INSTANT, MOVING))
    | st.tuples(st.sampled_from(("older_than", "newer_than", "due_within")), st.integers(0, 12))
)
INSTANTS = range(-60, 60)
"""Earlier and later than every transition of these leaves."""

rows = st.sets(st.integers(-5, 5) | st.just(BEGINNING), max_size=5).map(lambda found: tuple(sorted(found)))


def by_definition(op: str, value: Any, at: int, now: int) -> bool:
    """Evaluates the documented definition of the operator at an instant."""

    def end(bound: At | FromNow) -> int:
        return bound.us if isinstance(bound, At) else now + bound.offset_us

    results: dict[str, Callable[[], bool]] = {
        "eq": lambda: at == end(value),
        "ne": lambda: at != end(value),
        "in": lambda: any(at == end(one) for one in value),
        "nin": lambda: all(at != end(one) for one in value),
        "lt": lambda: at < end(value),
        "before": lambda: at < end(value),
        "le": lambda: at <= end(value),
        "gt": lambda: at > end(value),
        "after": lambda: at > end(value),
        "ge": lambda: at >= end(value),
        "between": lambda: end(value[0]) <= at <= end(value[1]),
        "older_than": lambda: at <= now - int(value),
        "newer_than": lambda: at > now - int(value),
        "due_within": lambda: now <= at <= now + int(value),
    }
    return results[op]()


def as_written(value: Any) -> Any:
    """Returns the value for a custom field: a fixed instant as text."""
    if isinstance(value, tuple):
        return tuple(as_written(one) for one in value)
    return format_instant_exactly(value.us) if isinstance(value, At) else value


@given(LEAVES, SMALL, st.booleans())
@example(("due_within", 0), 5, False)
@example(("between", (FromNow(3), FromNow(-3))), 0, True)
def test_a_leaf_holds_between_its_transitions_and_nowhere_else(
    condition: tuple[str, Any], found: int, custom: bool
) -> None:
    leaf = Leaf("fields.x", condition[0], as_written(condition[1])) if custom else Leaf("dueAt", *condition)
    value = format_instant_exactly(found) if custom else found
    transitions = transitions_of(leaf)(value)
    expected = [by_definition(*condition, found, now) for now in INSTANTS]
    assert time_dependent(leaf)
    assert [held(transitions, now) for now in INSTANTS] == expected
    assert [predicate(leaf)(value, now) for now in INSTANTS] == expected
    assert list(transitions) == sorted(set(transitions)), "each of them is a change"


@pytest.mark.parametrize("value", [None, "", "soon", 5, True, []])
def test_a_value_that_is_no_instant_never_changes(value: object) -> None:
    assert transitions_of(Leaf("fields.x", "older_than", 1))(value) == AT_NO_TIME
    assert transitions_of(Leaf("fields.x", "before", FromNow(0)))(value) == AT_NO_TIME
    assert transitions_of(Leaf("fields.x", "ne", FromNow(0)))(value) == AT_ALL_TIMES


def test_a_member_that_stands_still_holds_at_all_times() -> None:
    assert transitions_of(Leaf("fields.x", "in", ("a", FromNow(0))))("a") == AT_ALL_TIMES
    assert transitions_of(Leaf("fields.x", "nin", ("a", FromNow(0))))("a") == AT_NO_TIME


def test_what_looks_at_now_depends_on_time() -> None:
    assert time_dependent(Leaf("dueAt", "within", "today"))
    assert time_dependent(Leaf("fields.x", "in", ("a", FromNow(0))))
    assert not time_dependent(Leaf("dueAt", "between", (At(0), At(1))))
    assert not time_dependent(Leaf("fields.x", "is_empty"))
    assert not time_dependent(Leaf("fields.x", "eq", "older_than"))


@given(rows, rows)
def test_transitions_combine_like_their_conditions(one: Transitions, other: Transitions) -> None:
    for now in range(-6, 7):
        assert held(inverted(one), now) is not held(one, now)
        assert held(both(one, other), now) is (held(one, now) and held(other, now))
        assert held(either(one, other), now) is (held(one, now) or held(other, now))
    assert list(both(one, other)) == sorted(set(both(one, other)))
