"""Compiles a leaf into a function of its field's value and of now. Pure; knows no catalogue, viewer or time zone."""

import operator
from collections.abc import Callable
from typing import Any

from service.domain.conditions import operators as ops
from service.domain.conditions.condition import At, FromNow, Leaf
from service.domain.conditions.fields import FieldKind, kind_of
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
from service.domain.conditions.values import InstantOf, instant_in, instant_reader, is_empty, key
from service.domain.tickets.ticket import Instant

Holds = Callable[[object, Instant], bool]
"""Whether a leaf holds for a value of its field, at an instant."""

_Test = Callable[[Any, Any], bool]

_ORDER: dict[str, _Test] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "before": operator.lt,
    "after": operator.gt,
}


def predicate(leaf: Leaf) -> Holds:
    """Returns the leaf as a function of its field's value in a `Ticket`. Built once, called for every ticket.

    `slaBreached` tests only the flag. Raises ValueError for a leaf that needs more than the value: the order of
    priorities and statuses, `state`, and `within`, which needs a local day.
    """
    kind = kind_of(leaf.field)
    ranked = kind is FieldKind.RANKED and (leaf.op in ops.ORDER or leaf.op == ops.BETWEEN)
    if kind is None or kind is FieldKind.STATE or ranked or leaf.op not in ops.OPERATORS[kind] - {ops.WITHIN}:
        raise ValueError(f"{leaf.field} {leaf.op} isn't decided by the field's value alone")
    if time_dependent(leaf):
        transitions = transitions_of(leaf)
        return lambda value, now: held(transitions(value), now)
    opposite = ops.OPPOSITES.get(leaf.op)
    if opposite is None:
        return _positive(kind, leaf.op, leaf.value)
    holds = _positive(kind, opposite, leaf.value)
    return lambda value, now: not holds(value, now)


def time_dependent(leaf: Leaf) -> bool:
    """Whether the leaf's result can change with time while the value stays the same."""
    if leaf.op in ops.AGES or leaf.op == ops.WITHIN:
        return True
    members = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    return any(isinstance(member, FromNow) for member in members)


def transitions_of(leaf: Leaf) -> Callable[[object], Transitions]:
    """Returns a function from a value to the transitions of a time-dependent leaf. `within` has none.

    `service/domain/counting/windows.py` replaces `within` by spans of time or by columns kept by time.
    Example: `older_than PT1H` on an instant `t` starts to hold at `t + 1 h`, so its transitions are `(t + 1 h,)`.
    """
    kind = kind_of(leaf.field)
    assert kind is not None
    opposite = ops.OPPOSITES.get(leaf.op)
    if opposite is None:
        return _moving(kind, leaf.op, leaf.value)
    transitions = _moving(kind, opposite, leaf.value)
    return lambda value: inverted(transitions(value))


def _moving(kind: FieldKind, op: str, value: Any) -> Callable[[object], Transitions]:
    """A positive operator that compares with now: its transitions are the value's instant plus or minus an offset."""
    read = instant_reader(kind)
    match op:
        case "eq" | "in":
            return _moving_one_of(kind, (value,) if op == "eq" else value)
        case "between":
            low, high = _moving_end(kind, "ge", value[0]), _moving_end(kind, "le", value[1])
            return lambda found: both(low(found), high(found))
        case "older_than":
            return lambda found: AT_NO_TIME if (at := read(found)) is None else (at + value,)
        case "newer_than":
            return lambda found: AT_NO_TIME if (at := read(found)) is None else (BEGINNING, at + value)
        case "due_within":
            return lambda found: AT_NO_TIME if (at := read(found)) is None else (at - value, at + 1)
    return _moving_end(kind, op, value)


def _moving_end(kind: FieldKind, op: str, bound: Any) -> Callable[[object], Transitions]:
    """An order comparison with now plus an offset, or with the fixed end of a `between`."""
    if not isinstance(bound, FromNow):
        holds = _compared(kind, bound, _ORDER[op])
        return lambda found: AT_ALL_TIMES if holds(found, 0) else AT_NO_TIME
    read, offset = instant_reader(kind), bound.offset_us
    match op:
        case "lt" | "before":
            return lambda found: AT_NO_TIME if (at := read(found)) is None else (at - offset + 1,)
        case "le":
            return lambda found: AT_NO_TIME if (at := read(found)) is None else (at - offset,)
        case "gt" | "after":
            return lambda found: AT_NO_TIME if (at := read(found)) is None else (BEGINNING, at - offset)
    return lambda found: AT_NO_TIME if (at := read(found)) is None else (BEGINNING, at - offset + 1)


def _moving_one_of(kind: FieldKind, values: tuple[Any, ...]) -> Callable[[object], Transitions]:
    read = instant_reader(kind)
    still = _one_of(kind, tuple(value for value in values if not isinstance(value, FromNow)))
    offsets = {value.offset_us for value in values if isinstance(value, FromNow)}

    def transitions(found: object) -> Transitions:
        if still(found, 0):
            return AT_ALL_TIMES
        at = read(found)
        moving = AT_NO_TIME
        if at is not None:
            for offset in offsets:
                moving = either(moving, (at - offset, at - offset + 1))
        return moving

    return transitions


def _positive(kind: FieldKind, op: str, value: Any) -> Holds:
    """A positive operator: except for `is_empty` it holds for no empty value and for no value of another type."""
    match op:
        case "is_empty":
            return lambda found, now: is_empty(found)
        case "is_true" | "is_false":
            flag = op == "is_true"
            return lambda found, now: found is flag
        case "eq":
            return _one_of(kind, (value,))
        case "in":
            return _one_of(kind, value)
        case "between":
            low, high = _compared(kind, value[0], operator.ge), _compared(kind, value[1], operator.le)
            return lambda found, now: low(found, now) and high(found, now)
        case "lt" | "le" | "gt" | "ge" | "before" | "after":
            return _compared(kind, value, _ORDER[op])
        case "contains" | "starts_with" | "ends_with":
            return _text(op, value.casefold())
        case "contains_any" | "contains_all":
            return _listed(op, value)
    raise ValueError(f"{op} has no predicate")


def _one_of(kind: FieldKind, values: tuple[Any, ...]) -> Holds:
    if kind is FieldKind.INSTANT:
        return _instant_of(instant_reader(kind), frozenset(value.us for value in values if isinstance(value, At)))
    # The empty text is an empty value, and an empty value equals nothing.
    keys = frozenset(member for value in values if value != "" and (member := key(value)) is not None)
    if kind is FieldKind.TEXT or kind is FieldKind.RANKED:
        return lambda found, now: found in keys
    instants: frozenset[int] = frozenset()
    if kind is FieldKind.CUSTOM:
        instants = frozenset(at for value in values if (at := instant_in(value)) is not None)
    if not instants:
        return lambda found, now: key(found) in keys
    same_instant = _instant_of(instant_in, instants)
    return lambda found, now: key(found) in keys or same_instant(found, now)


def _instant_of(read: InstantOf, instants: frozenset[int]) -> Holds:
    return lambda found, now: (at := read(found)) is not None and at in instants


def _compared(kind: FieldKind, bound: Any, test: _Test) -> Holds:
    """Compares the value with one bound. Never holds when their types differ."""
    read = instant_reader(kind)
    match bound:
        case At(us):
            return lambda found, now: (at := read(found)) is not None and test(at, us)
        case bool():
            return lambda found, now: False  # true and false have no order
        case str():
            named = instant_in(bound) if kind is FieldKind.CUSTOM else None
            return _text_compared(bound, test) if named is None else _instant_or_text_compared(named, bound, test)
    return lambda found, now: isinstance(found, int | float) and not isinstance(found, bool) and test(found, bound)


def _text_compared(bound: str, test: _Test) -> Holds:
    return lambda found, now: isinstance(found, str) and found != "" and test(found, bound)


def _instant_or_text_compared(us: Instant, bound: str, test: _Test) -> Holds:
    """Compares with a bound that is an instant: as instants if the value is one too, else as texts by code point."""
    as_text = _text_compared(bound, test)

    def holds(found: object, now: Instant) -> bool:
        at = instant_in(found)
        return as_text(found, now) if at is None else test(at, us)

    return holds


def _text(op: str, folded: str) -> Holds:
    match op:
        case "contains":
            return lambda found, now: isinstance(found, str) and found != "" and folded in found.casefold()
        case "starts_with":
            return lambda found, now: isinstance(found, str) and found != "" and found.casefold().startswith(folded)
    return lambda found, now: isinstance(found, str) and found != "" and found.casefold().endswith(folded)


def _listed(op: str, values: tuple[Any, ...]) -> Holds:
    keys = frozenset(key(value) for value in values)

    def among(found: object) -> frozenset[object]:
        return keys.intersection(map(key, found)) if isinstance(found, list | tuple) else frozenset()

    if op == "contains_any":
        return lambda found, now: bool(among(found))
    return lambda found, now: isinstance(found, list | tuple) and bool(found) and among(found) == keys
