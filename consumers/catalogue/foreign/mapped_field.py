"""Translates conditions on a field of the name map, by the type of its values. Knows no other system."""

import math
from collections.abc import Sequence

import msgspec

from consumers.catalogue.foreign.name_map import Target
from consumers.catalogue.foreign.translation import Node, NoEquivalent, leaf, none_of, one_of

_ORDER = {"less_than": "lt", "less_than_equal": "le", "greater_than": "gt", "greater_than_equal": "ge"}

_PRESENCE = {"present": "is_not_empty", "not_present": "is_empty"}


def condition(target: Target, verb: str, values: Sequence[object]) -> Node:
    """Translates one of the verbs is, is_not, includes, not_includes, present, not_present, less_than … into a leaf.

    An empty field passes the negative verbs. Raises NoEquivalent.
    """
    if verb in _PRESENCE:
        return leaf(target.field, _PRESENCE[verb])
    if not values:
        raise NoEquivalent("the condition has no value")
    match target.values:
        case "text":
            return _text(target, verb, [_as_text(value) for value in values])
        case "number":
            return _number(target, verb, [_as_number(value) for value in values])
        case "boolean":
            return _boolean(target, verb, [_as_flag(value) for value in values])
        case "list":
            return _list(target, verb, [_as_text(value) for value in values])
    raise NoEquivalent(f"{verb} doesn't apply to an instant")


def _text(target: Target, verb: str, values: Sequence[str]) -> Node:
    if verb not in ("is", "is_not", "includes", "not_includes"):
        raise NoEquivalent(f"{verb} doesn't apply to text")
    positive = verb in ("is", "includes")
    if "" in values:
        if len(values) > 1:
            raise NoEquivalent("an empty value beside others")
        return leaf(target.field, "is_empty" if positive else "is_not_empty")
    return one_of(target.field, values) if positive else none_of(target.field, values)


def _number(target: Target, verb: str, values: Sequence[float]) -> Node:
    if verb in _ORDER and len(values) == 1:
        return leaf(target.field, _ORDER[verb], values[0])
    if verb not in ("is", "is_not"):
        raise NoEquivalent(f"{verb} doesn't apply to a number")
    return one_of(target.field, values) if verb == "is" else none_of(target.field, values)


def _boolean(target: Target, verb: str, values: Sequence[bool]) -> Node:
    if verb not in ("is", "is_not") or len(values) != 1:
        raise NoEquivalent(f"{verb} doesn't apply to a check box")
    checked = leaf(target.field, "is_true")
    # An empty check box counts as unchecked.
    return checked if values[0] is (verb == "is") else {"not": checked}


def _list(target: Target, verb: str, values: Sequence[str]) -> Node:
    if verb not in ("is", "is_not", "includes", "not_includes"):
        raise NoEquivalent(f"{verb} doesn't apply to a list")
    return leaf(target.field, "contains_any" if verb in ("is", "includes") else "contains_none", list(values))


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise NoEquivalent("a value that is neither text nor a number")


def _as_number(value: object) -> float:
    try:
        number = msgspec.convert(value, float, strict=False)
    except msgspec.ValidationError:
        raise NoEquivalent(f"{value!r} is no number") from None
    if not math.isfinite(number):
        raise NoEquivalent(f"{value!r} is no number")
    return int(number) if number.is_integer() else number


def _as_flag(value: object) -> bool:
    text = _as_text(value)
    if text not in ("true", "false"):
        raise NoEquivalent(f"{value!r} is neither true nor false")
    return text == "true"
