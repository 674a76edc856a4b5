"""Evaluates a condition's JSON for one ticket. Never checks whether the condition compiles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.instants import parse_duration, parse_instant, parse_moment, window
from tests.oracle.published.records import INSTANT_FIELDS
from tests.oracle.tickets import Ticket

OPPOSITES = {"ne": "eq", "nin": "in", "not_contains": "contains", "contains_none": "contains_any"}


@dataclass(frozen=True, slots=True)
class ConditionContext:
    """The inputs of a condition besides the ticket: the tenant's entry, the viewer, the clock."""

    tenant: Mapping[str, Any]
    user: str
    teams: frozenset[str]
    now_us: int
    timezone: str
    day_us: int | None = None
    """An instant of the viewer's local day, if that isn't the day of `now_us`."""

    @property
    def today_us(self) -> int:
        """An instant of the local day for calendar words."""
        return self.now_us if self.day_us is None else self.day_us


def holds(where: Mapping[str, Any], ticket: Ticket, context: ConditionContext) -> bool:
    """Whether the condition holds for the ticket."""
    if "field" in where:
        return leaf_holds(where, ticket, context)
    if "not" in where:
        return not holds(where["not"], ticket, context)
    every, some = where.get("all", []), where.get("any", [])
    if not all(holds(child, ticket, context) for child in every):
        return False
    return not some or any(holds(child, ticket, context) for child in some)


def leaf_holds(leaf: Mapping[str, Any], ticket: Ticket, context: ConditionContext) -> bool:
    field, op, wanted = leaf["field"], leaf["op"], leaf.get("value")
    value = value_of(field, ticket, context)
    if op == "is_empty":
        return is_empty(value)
    if op == "is_not_empty":
        return not is_empty(value)
    if is_empty(value):
        return op in OPPOSITES
    if op in OPPOSITES:
        return not fits(OPPOSITES[op], field, value, wanted, context)
    return fits(op, field, value, wanted, context)


def value_of(field: str, ticket: Ticket, context: ConditionContext) -> Any:
    """Returns the ticket's value of a field, also of a derived one."""
    data = ticket.data or {}
    if field == "state":
        return "closed" if is_closed(ticket, context.tenant) else "open"
    if field == "slaBreached":
        return is_breached(ticket, context)
    if field.startswith("fields."):
        return (data.get("fields") or {}).get(field.removeprefix("fields."))
    return data.get(field)


def is_closed(ticket: Ticket, tenant: Mapping[str, Any]) -> bool:
    """Whether the status entry is closed; for an unknown status, whether the last event was `ticket.closed`."""
    for status in tenant["statuses"]:
        if status["id"] == (ticket.data or {})["status"]:
            return bool(status.get("closed"))
    return ticket.last_type == "ticket.closed"


def is_breached(ticket: Ticket, context: ConditionContext) -> bool:
    """Whether the flag is set, or the ticket is open after its SLA deadline."""
    data = ticket.data or {}
    if data.get("slaBreached") is True:
        return True
    return not is_closed(ticket, context.tenant) and is_past(data.get("slaDueAt"), context.now_us)


def is_past(instant: str | None, now_us: int) -> bool:
    """Whether the instant is not empty and strictly before now."""
    return not is_empty(instant) and parse_instant(str(instant)) < now_us


def is_empty(value: Any) -> bool:
    """Whether the value is missing, null, an empty text or an empty list. The values false and 0 are not empty."""
    return value is None or value == "" or value == []


def fits(op: str, field: str, value: Any, wanted: Any, context: ConditionContext) -> bool:
    """Whether a non-empty value fits a positive operator."""
    if op in ("eq", "in"):
        members = wanted if op == "in" and isinstance(wanted, list) else [wanted]
        return any(is_same(field, value, member, context) for member in resolved(members, context))
    if op in ("lt", "le", "gt", "ge", "between"):
        return is_in_order(op, field, value, wanted, context)
    if op in ("contains", "starts_with", "ends_with"):
        return fits_text(op, value, wanted)
    if op in ("contains_any", "contains_all"):
        hits = [isinstance(value, list) and any(same_json(one, member) for one in value) for member in wanted]
        return any(hits) if op == "contains_any" else isinstance(value, list) and all(hits)
    if op in ("is_true", "is_false"):
        return value is (op == "is_true")
    return fits_time(op, value, wanted, context)


def resolved(members: list[Any], context: ConditionContext) -> list[Any]:
    """Replaces `@me` by the viewer, and `@my_teams` by the viewer's teams."""
    result: list[Any] = []
    for member in members:
        if member == "@me":
            result.append(context.user)
        elif member == "@my_teams":
            result.extend(context.teams)
        else:
            result.append(member)
    return result


def is_same(field: str, value: Any, member: Any, context: ConditionContext) -> bool:
    if field in INSTANT_FIELDS:
        return parse_instant(value) == parse_moment(member, context.now_us)
    return same_json(value, member)


def same_json(one: Any, other: Any) -> bool:
    """Whether values are equal without conversion: 1 equals 1.0, but not "1" or true. Lists and objects never are."""
    return json_type(one) == json_type(other) and json_type(one) is not None and bool(one == other)


def json_type(value: Any) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None


def is_in_order(op: str, field: str, value: Any, wanted: Any, context: ConditionContext) -> bool:
    if op == "between":
        low, high = wanted
        return is_in_order("ge", field, value, low, context) and is_in_order("le", field, value, high, context)
    left, right = measure(field, value, context), measure(field, wanted, context)
    if json_type(left) != json_type(right) or json_type(left) not in ("number", "text"):
        return False
    return bool({"lt": left < right, "le": left <= right, "gt": left > right, "ge": left >= right}[op])


def measure(field: str, value: Any, context: ConditionContext) -> Any:
    """Returns the sort key of a value: its instant, its rank, else the value; None for an id without a rank."""
    if field in INSTANT_FIELDS:
        return parse_moment(value, context.now_us)
    if field == "priority":
        return next((entry["rank"] for entry in context.tenant["priorities"] if entry["id"] == value), None)
    if field == "status":
        ids = [entry["id"] for entry in context.tenant["statuses"]]
        return ids.index(value) if value in ids else None
    return value


def fits_text(op: str, value: Any, wanted: Any) -> bool:
    if not isinstance(value, str) or not isinstance(wanted, str):
        return False
    text, part = value.casefold(), wanted.casefold()
    return {"contains": part in text, "starts_with": text.startswith(part), "ends_with": text.endswith(part)}[op]


def fits_time(op: str, value: Any, wanted: str, context: ConditionContext) -> bool:
    """Evaluates the operators of instants. A custom field without an instant has another type, so it fits none."""
    try:
        at = parse_instant(value)
    except (TypeError, ValueError):
        return False
    now = context.now_us
    if op in ("before", "after"):
        limit = parse_moment(wanted, now)
        return at < limit if op == "before" else at > limit
    if op == "within":
        start, beyond = window(wanted, context.today_us, context.timezone)
        return start <= at < beyond
    span = parse_duration(wanted)
    return {"older_than": at <= now - span, "newer_than": at > now - span, "due_within": now <= at <= now + span}[op]
