"""Conditions as one line of text for people: `state = open AND (assignee = @me OR team in @my_teams)`. Never parsed."""

import json
import re

from service.domain.conditions.condition import AllOf, AnyOf, Asks, At, Condition, Const, FromNow, Leaf, Not, Question
from service.domain.conditions.operators import AGES
from service.domain.tickets.instant import format_instant_exactly
from service.one_line import one_line

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./@+-]*")
"""Texts that can't be taken for anything else; all others are quoted as JSON, so that "1" isn't read as 1."""

_RESERVED = frozenset(("true", "false", "null", "AND", "OR", "NOT", "and", "empty"))

_SIGNS = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "nin": "not in"}
"""Operators that have a usual sign; the others are their names with spaces."""

_ASKED = {
    Question.ASSIGNED: ("assignee = @me", "assignee != @me"),
    Question.REQUESTED: ("requester = @me", "requester != @me"),
    Question.TEAM: ("team in @my_teams", "team not in @my_teams"),
}

_UNITS_US = (("D", 86_400_000_000), ("H", 3_600_000_000), ("M", 60_000_000), ("S", 1_000_000))


def printed(condition: Condition) -> str:
    """The condition in words; equal texts may differ in nothing but how their parts were nested."""
    match condition:
        case Const(holds):
            return "every ticket" if holds else "no ticket"
        case Asks(question):
            return _ASKED[question][0]
        case Not(Asks(question)):
            return _ASKED[question][1]
        case Not(child):
            return f"NOT ({printed(child)})"
        case AllOf(children):
            return " AND ".join(map(_part, children)) or "every ticket"
        case AnyOf(children):
            return " OR ".join(map(_part, children)) or "no ticket"
        case Leaf():
            return _leaf(condition)


def duration(us: int) -> str:
    """ISO 8601, in hours, minutes and seconds, and in days where it is whole ones."""
    if us and us % _UNITS_US[0][1] == 0:
        return f"P{us // _UNITS_US[0][1]}D"
    parts = ""
    for unit, size in _UNITS_US[1:]:
        count, us = divmod(us, size)
        fraction = f".{us:06}".rstrip("0") if unit == "S" and us else ""
        if count or fraction:
            parts += f"{count}{fraction}{unit}"
    return f"PT{parts or '0S'}"


def instant(us: int) -> str:
    """RFC 3339 in UTC, with no more digits than it has."""
    text = format_instant_exactly(us)
    return text.removesuffix("Z").rstrip("0").removesuffix(".") + "Z" if "." in text else text


def value(raw: object) -> str:
    """A value of a ticket or of a leaf as it can be told from any other; instants of tickets are numbers to it."""
    match raw:
        case At(us):
            return instant(us)
        case FromNow(0):
            return "@now"
        case FromNow(offset_us):
            return f"@now{'+' if offset_us > 0 else '-'}{duration(abs(offset_us))}"
        case str() if _BARE.fullmatch(raw) and raw not in _RESERVED:
            return raw
        case tuple() | list():
            return f"[{', '.join(map(value, raw))}]"
    return one_line(json.dumps(raw, ensure_ascii=False))


def _part(child: Condition) -> str:
    return f"({printed(child)})" if _is_joined(child) else printed(child)


def _is_joined(condition: Condition) -> bool:
    return isinstance(condition, AllOf | AnyOf) and len(condition.children) > 1


def _leaf(leaf: Leaf) -> str:
    if leaf.field == "state" and isinstance(leaf.value, tuple) and leaf.op == "closed":
        return f"closed by status in {value(leaf.value[0])}"
    sign = _SIGNS.get(leaf.op, leaf.op.replace("_", " "))
    if leaf.value is None:
        return f"{leaf.field} {sign}"
    if leaf.op == "between":
        return f"{leaf.field} between {value(leaf.value[0])} and {value(leaf.value[1])}"
    return f"{leaf.field} {sign} {duration(leaf.value) if leaf.op in AGES else value(leaf.value)}"
