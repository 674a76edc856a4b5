"""Prints a condition for people: `state = open AND (assignee = @me OR team in @my_teams)`. Nothing parses the text."""

import json
import re

from service.domain.conditions.condition import AllOf, AnyOf, Asks, At, Condition, Const, FromNow, Leaf, Not, Question
from service.domain.conditions.operators import AGES
from service.domain.tickets.instant import format_instant_exactly
from service.one_line import one_line

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./@+-]*")
"""Texts that are unambiguous without quotes. All others are quoted as JSON: "1" is a text, 1 a number."""

_RESERVED = frozenset(("true", "false", "null", "AND", "OR", "NOT", "and", "empty"))

_SIGNS = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "nin": "not in"}
"""The signs of operators. Any other operator prints as its name with spaces."""

_ASKED = {
    Question.ASSIGNED: ("assignee = @me", "assignee != @me"),
    Question.REQUESTED: ("requester = @me", "requester != @me"),
    Question.TEAM: ("team in @my_teams", "team not in @my_teams"),
}

_UNITS_US = (("D", 86_400_000_000), ("H", 3_600_000_000), ("M", 60_000_000), ("S", 1_000_000))


def printed(condition: Condition) -> str:
    """Returns the condition as text. Conditions with equal texts differ at most in the nesting of their parts."""
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
    """Formats microseconds as an ISO 8601 duration: whole days as `P3D`, all others as `PT26H30M`."""
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
    """Formats an instant (microseconds) as RFC 3339 in UTC, without trailing zeros of the fraction."""
    text = format_instant_exactly(us)
    return text.removesuffix("Z").rstrip("0").removesuffix(".") + "Z" if "." in text else text


def value(raw: object) -> str:
    """Formats a value of a ticket or of a leaf unambiguously. Prints a ticket's instants as numbers."""
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
