"""When a leaf that looks at now changes its mind: never too early, never too late, against trying every instant."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.condition import At, FromNow, Leaf
from service.domain.instant import format_instant_exactly
from service.domain.predicates import predicate, time_dependent, turns_of

SMALL = st.integers(-12, 12)
MOVING = st.builds(FromNow, SMALL)
INSTANT = MOVING | st.builds(At, SMALL)
LEAVES = (
    st.tuples(st.sampled_from(("eq", "ne", "lt", "le", "gt", "ge", "before", "after")), INSTANT)
    | st.tuples(st.sampled_from(("in", "nin")), st.lists(INSTANT, max_size=3).map(tuple))
    | st.tuples(st.just("between"), st.tuples(INSTANT, INSTANT))
    | st.tuples(st.sampled_from(("older_than", "newer_than", "due_within")), st.integers(0, 12))
    | st.tuples(st.sampled_from(("is_empty", "is_not_empty")), st.none())
)
LAST = 60
"""Beyond every instant at which one of these leaves can still change."""


@given(LEAVES, SMALL, SMALL, st.booleans())
@example(("due_within", 0), 5, 0, False)
@example(("between", (FromNow(3), FromNow(-3))), 0, -12, True)
def test_a_leaf_keeps_its_mind_until_the_flip_and_has_changed_it_there(
    asked: tuple[str, Any], found: int, now: int, custom: bool
) -> None:
    leaf = Leaf("fields.x" if custom else "dueAt", *asked)
    value = format_instant_exactly(found) if custom else found
    holds = predicate(leaf)
    changed = [instant for instant in range(now + 1, LAST) if holds(value, instant) != holds(value, now)]
    turns = sorted(turns_of(leaf)(value, now))
    flips = [turn for turn in turns if holds(value, turn) != holds(value, now)]
    assert all(turn > now for turn in turns)
    assert flips[:1] == changed[:1]
    assert time_dependent(leaf) or not changed


@pytest.mark.parametrize("value", [None, "", "soon", 5, True, []])
def test_a_value_that_is_no_instant_never_changes(value: object) -> None:
    assert list(turns_of(Leaf("fields.x", "older_than", 1))(value, 0)) == []
    assert list(turns_of(Leaf("fields.x", "ne", FromNow(0)))(value, 0)) == []


def test_what_looks_at_now_depends_on_time() -> None:
    assert time_dependent(Leaf("dueAt", "within", "today"))
    assert time_dependent(Leaf("fields.x", "in", ("a", FromNow(0))))
    assert not time_dependent(Leaf("dueAt", "between", (At(0), At(1))))
    assert not time_dependent(Leaf("fields.x", "is_empty"))
    assert not time_dependent(Leaf("fields.x", "eq", "older_than"))
