"""Parses the value of a leaf into the type that its field and operator need. Never looks an id up."""

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from service.domain.conditions import operators as ops
from service.domain.conditions.condition import At, ConditionError, FromNow, Question
from service.domain.conditions.durations import parse_duration
from service.domain.conditions.fields import FieldKind, kind_of
from service.domain.json_reading import json_number
from service.domain.tickets.instant import parse_instant

MAX_VALUES = 200

_VIEWER_WORDS = ("@me", "@my_teams")
_VIEWER_FIELDS = {
    "assignee": ("@me", Question.ASSIGNED),
    "requester": ("@me", Question.REQUESTED),
    "team": ("@my_teams", Question.TEAM),
}
_NOW = re.compile(r"@now(?:([+-])(.*))?", re.DOTALL)
_WHOLE_FLOATS = 2**53
"""Whole floats below this are stored as integers, so that 1 and 1.0 give the same column."""

_Reader = Callable[[object, str], Any]


def leaf_value(field: str, op: str, raw: object, path: str) -> Any:
    """Returns the value for `Leaf.value`. The operator must fit the field and need a value.

    `@me` and `@my_teams`, where they are allowed, become a `Question`: alone, or as members of a tuple; with `in`
    and `nin` always in a tuple. Raises ConditionError with the path of the value or member that doesn't fit.
    """
    read = _one(field, op)
    if op in ops.MEMBERSHIP and raw in _VIEWER_WORDS:
        return (read(raw, path),)
    if op in ops.MEMBERSHIP | ops.LISTS:
        return _members(raw, read, path)
    if op == ops.BETWEEN:
        if not isinstance(raw, list) or len(raw) != 2:
            raise ConditionError(path, "expected a list of two ends")
        return _members(raw, read, path)
    return read(raw, path)


def refuse_viewer(raw: object, path: str) -> None:
    """Raises ConditionError when the unused value of a leaf contains `@me` or `@my_teams`."""
    for member, where in _with_paths(raw, path) if isinstance(raw, list) else ((raw, path),):
        if member in _VIEWER_WORDS:
            raise _misplaced(member, where)


def quoted(text: str) -> str:
    """Quotes an outside text for an error message, cut to 40 characters."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def json_type(value: object) -> str:
    """Returns the JSON name of a decoded value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "list" if isinstance(value, list) else "object"


def _members(raw: object, read: _Reader, path: str) -> tuple[Any, ...]:
    if not isinstance(raw, list):
        raise ConditionError(path, f"expected a list, got {json_type(raw)}")
    if len(raw) > MAX_VALUES:
        raise ConditionError(path, f"more than {MAX_VALUES} values")
    return tuple(read(member, where) for member, where in _with_paths(raw, path))


def _with_paths(members: list[object], path: str) -> Iterable[tuple[object, str]]:
    return ((member, f"{path}[{index}]") for index, member in enumerate(members))


def _one(field: str, op: str) -> _Reader:
    """Returns the function that parses one scalar of the leaf."""
    read = _reader(field, op)
    word, question = _VIEWER_FIELDS.get(field, (None, None)) if op in ops.EQUALITY | ops.MEMBERSHIP else (None, None)

    def one(raw: object, path: str) -> Any:
        if raw in _VIEWER_WORDS:
            if raw == word:
                return question
            raise _misplaced(raw, path)
        return read(raw, path)

    return one


def _reader(field: str, op: str) -> _Reader:
    if op in ops.AGES:
        return _duration
    if op == ops.WITHIN:
        return _word
    if op in ops.STRICT:
        return _instant
    if op in ops.TEXT:
        return _text
    match kind_of(field):
        case FieldKind.INSTANT:
            return _instant
        case FieldKind.FLAG:
            return _flag
        case FieldKind.CUSTOM if op in ops.COMPARISONS:
            return _scalar_or_now
        case FieldKind.CUSTOM:
            return _scalar
    return _text


def _misplaced(word: object, path: str) -> ConditionError:
    fields = " and ".join(field for field, (own, _) in _VIEWER_FIELDS.items() if own == word)
    return ConditionError(path, f"{word} goes only with eq, ne, in and nin on {fields}")


def _mistyped(expected: str, raw: object, path: str) -> ConditionError:
    hint = "; use is_empty for empty values" if raw is None else ""
    return ConditionError(path, f"expected {expected}, got {json_type(raw)}{hint}")


def _text(raw: object, path: str) -> str:
    if not isinstance(raw, str):
        raise _mistyped("a string", raw, path)
    return raw


def _flag(raw: object, path: str) -> bool:
    if not isinstance(raw, bool):
        raise _mistyped("a boolean", raw, path)
    return raw


def _word(raw: object, path: str) -> str:
    if raw not in ops.WORDS:
        raise ConditionError(path, f"expected one of {', '.join(ops.WORDS)}")
    return str(raw)


def _duration(raw: object, path: str) -> int:
    text = _text(raw, path)
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConditionError(path, f"{error}: {quoted(text)}") from None


def _instant(raw: object, path: str) -> At | FromNow:
    text = _text(raw, path)
    relative = _NOW.fullmatch(text)
    if relative:
        return _from_now(relative[1], relative[2], path)
    try:
        return At(parse_instant(text))
    except ValueError as error:
        raise ConditionError(path, str(error)) from None


def _from_now(sign: str | None, duration: str | None, path: str) -> FromNow:
    if sign is None or duration is None:
        return FromNow(0)
    us = _duration(duration, path)
    return FromNow(us if sign == "+" else -us)


def _scalar_or_now(raw: object, path: str) -> Any:
    return _instant(raw, path) if isinstance(raw, str) and _NOW.fullmatch(raw) else _scalar(raw, path)


def _scalar(raw: object, path: str) -> str | bool | int | float:
    if isinstance(raw, str | bool):
        return raw
    if isinstance(raw, int):
        return json_number(raw)
    if isinstance(raw, float):
        if not math.isfinite(raw):
            raise ConditionError(path, "not a number of JSON")
        return int(raw) if raw.is_integer() and abs(raw) < _WHOLE_FLOATS else raw
    raise _mistyped("a string, a number or a boolean", raw, path)
