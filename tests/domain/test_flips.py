"""When a leaf that looks at now changes its mind: never too early, never too late, against trying every instant."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.condition import AllOf, AnyOf, At, ConditionError, FromNow, Leaf, Not
from service.domain.instant import format_instant_exactly
from service.domain.predicates import flips_at, predicate, time_dependent
from service.domain.uncounted import refuse_uncounted

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
    assert flips_at(leaf, value, now) == (changed[0] if changed else None)
    assert time_dependent(leaf) or not changed


@pytest.mark.parametrize("value", [None, "", "soon", 5, True, []])
def test_a_value_that_is_no_instant_never_changes(value: object) -> None:
    assert flips_at(Leaf("fields.x", "older_than", 1), value, 0) is None
    assert flips_at(Leaf("fields.x", "ne", FromNow(0)), value, 0) is None


def test_what_looks_at_now_depends_on_time() -> None:
    assert time_dependent(Leaf("dueAt", "within", "today"))
    assert time_dependent(Leaf("fields.x", "in", ("a", FromNow(0))))
    assert not time_dependent(Leaf("dueAt", "between", (At(0), At(1))))
    assert not time_dependent(Leaf("fields.x", "is_empty"))
    assert not time_dependent(Leaf("fields.x", "eq", "older_than"))


MOVING_LEAVES = (
    Leaf("dueAt", "older_than", 5),
    Leaf("dueAt", "newer_than", 5),
    Leaf("dueAt", "due_within", 5),
    Leaf("dueAt", "within", "today"),
    Leaf("dueAt", "between", (At(0), FromNow(0))),
    Leaf("fields.x", "nin", ("a", FromNow(0))),
)


@pytest.mark.parametrize("leaf", MOVING_LEAVES, ids=lambda leaf: f"{leaf.field} {leaf.op}")
def test_what_time_changes_is_not_counted_yet(leaf: Leaf) -> None:
    still = Leaf("dueAt", "before", At(0))
    for condition in (leaf, Not(leaf), AnyOf((still, leaf)), AllOf((still, Not(AnyOf((leaf,)))))):
        with pytest.raises(ConditionError, match=rf"^where: {leaf.field} {leaf.op} .* isn't counted yet$"):
            refuse_uncounted(condition)
    refuse_uncounted(AllOf((still, Not(still), Leaf("slaBreached", "is_true"))))
