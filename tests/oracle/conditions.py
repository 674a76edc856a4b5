"""Whether a ticket fits a condition, straight from its JSON, one ticket at a time. Never checks the condition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.instants import parse_duration, parse_instant, parse_moment, window
from tests.oracle.published.records import INSTANT_FIELDS
from tests.oracle.tickets import Ticket

OPPOSITES = {"ne": "eq", "nin": "in", "not_contains": "contains", "contains_none": "contains_any"}


@dataclass(frozen=True, slots=True)
class Sight:
    """All that a condition is judged with beside the ticket: the tenant's entry, the viewer, the clock."""

    tenant: Mapping[str, Any]
    user: str
    teams: frozenset[str]
    now_us: int
    timezone: str
    day_us: int | None = None
    """An instant of the viewer's local day, where that isn't now's."""

    @property
    def today_us(self) -> int:
        """An instant of the local day that calendar words go by."""
        return self.now_us if self.day_us is None else self.day_us


def holds(where: Mapping[str, Any], ticket: Ticket, sight: Sight) -> bool:
    """Whether the ticket fits."""
    if "field" in where:
        return leaf_holds(where, ticket, sight)
    if "not" in where:
        return not holds(where["not"], ticket, sight)
    every, some = where.get("all", []), where.get("any", [])
    if not all(holds(child, ticket, sight) for child in every):
        return False
    return not some or any(holds(child, ticket, sight) for child in some)


def leaf_holds(leaf: Mapping[str, Any], ticket: Ticket, sight: Sight) -> bool:
    field, op, wanted = leaf["field"], leaf["op"], leaf.get("value")
    value = value_of(field, ticket, sight)
    if op == "is_empty":
        return is_empty(value)
    if op == "is_not_empty":
        return not is_empty(value)
    if is_empty(value):
        return op in OPPOSITES
    if op in OPPOSITES:
        return not fits(OPPOSITES[op], field, value, wanted, sight)
    return fits(op, field, value, wanted, sight)


def value_of(field: str, ticket: Ticket, sight: Sight) -> Any:
    """What the ticket has in that field, derived ones included."""
    data = ticket.data or {}
    if field == "state":
        return "closed" if is_closed(ticket, sight.tenant) else "open"
    if field == "slaBreached":
        return is_breached(ticket, sight)
    if field.startswith("fields."):
        return (data.get("fields") or {}).get(field.removeprefix("fields."))
    return data.get(field)


def is_closed(ticket: Ticket, tenant: Mapping[str, Any]) -> bool:
    """As its status entry says; where the catalogue doesn't know the status, as its last event was named."""
    for status in tenant["statuses"]:
        if status["id"] == (ticket.data or {})["status"]:
            return bool(status.get("closed"))
    return ticket.last_type == "ticket.closed"


def is_breached(ticket: Ticket, sight: Sight) -> bool:
    """By its flag, or open past its SLA's deadline."""
    data = ticket.data or {}
    if data.get("slaBreached") is True:
        return True
    return not is_closed(ticket, sight.tenant) and is_past(data.get("slaDueAt"), sight.now_us)


def is_past(instant: str | None, now_us: int) -> bool:
    """Whether that instant is there and lies strictly before now."""
    return not is_empty(instant) and parse_instant(str(instant)) < now_us


def is_empty(value: Any) -> bool:
    """Missing, null, an empty text, an empty list; neither false nor 0."""
    return value is None or value == "" or value == []


def fits(op: str, field: str, value: Any, wanted: Any, sight: Sight) -> bool:
    """Whether a value that isn't empty fits an operator that isn't negative."""
    if op in ("eq", "in"):
        members = wanted if op == "in" and isinstance(wanted, list) else [wanted]
        return any(is_same(field, value, member, sight) for member in resolved(members, sight))
    if op in ("lt", "le", "gt", "ge", "between"):
        return is_in_order(op, field, value, wanted, sight)
    if op in ("contains", "starts_with", "ends_with"):
        return fits_text(op, value, wanted)
    if op in ("contains_any", "contains_all"):
        hits = [isinstance(value, list) and any(same_json(one, member) for one in value) for member in wanted]
        return any(hits) if op == "contains_any" else isinstance(value, list) and all(hits)
    if op in ("is_true", "is_false"):
        return value is (op == "is_true")
    return fits_time(op, value, wanted, sight)


def resolved(members: list[Any], sight: Sight) -> list[Any]:
    """The list with the viewer in the place of `@me` and their teams in the place of `@my_teams`."""
    result: list[Any] = []
    for member in members:
        if member == "@me":
            result.append(sight.user)
        elif member == "@my_teams":
            result.extend(sight.teams)
        else:
            result.append(member)
    return result


def is_same(field: str, value: Any, member: Any, sight: Sight) -> bool:
    if field in INSTANT_FIELDS:
        return parse_instant(value) == parse_moment(member, sight.now_us)
    return same_json(value, member)


def same_json(one: Any, other: Any) -> bool:
    """Equal without conversion: 1 is 1.0, "1" isn't 1, true isn't 1; lists and objects equal nothing."""
    return json_type(one) == json_type(other) and json_type(one) is not None and bool(one == other)


def json_type(value: Any) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None


def is_in_order(op: str, field: str, value: Any, wanted: Any, sight: Sight) -> bool:
    if op == "between":
        low, high = wanted
        return is_in_order("ge", field, value, low, sight) and is_in_order("le", field, value, high, sight)
    left, right = measure(field, value, sight), measure(field, wanted, sight)
    if json_type(left) != json_type(right) or json_type(left) not in ("number", "text"):
        return False
    return bool({"lt": left < right, "le": left <= right, "gt": left > right, "ge": left >= right}[op])


def measure(field: str, value: Any, sight: Sight) -> Any:
    """What the order of a field goes by: instants, ranks, else the value itself; None where it has no place in it."""
    if field in INSTANT_FIELDS:
        return parse_moment(value, sight.now_us)
    if field == "priority":
        return next((entry["rank"] for entry in sight.tenant["priorities"] if entry["id"] == value), None)
    if field == "status":
        ids = [entry["id"] for entry in sight.tenant["statuses"]]
        return ids.index(value) if value in ids else None
    return value


def fits_text(op: str, value: Any, wanted: Any) -> bool:
    if not isinstance(value, str) or not isinstance(wanted, str):
        return False
    text, part = value.casefold(), wanted.casefold()
    return {"contains": part in text, "starts_with": text.startswith(part), "ends_with": text.endswith(part)}[op]


def fits_time(op: str, value: Any, wanted: str, sight: Sight) -> bool:
    """The operators of instants. A custom field that holds no instant is of another type, so it fits none of them."""
    try:
        at = parse_instant(value)
    except (TypeError, ValueError):
        return False
    now = sight.now_us
    if op in ("before", "after"):
        limit = parse_moment(wanted, now)
        return at < limit if op == "before" else at > limit
    if op == "within":
        start, beyond = window(wanted, sight.today_us, sight.timezone)
        return start <= at < beyond
    span = parse_duration(wanted)
    return {"older_than": at <= now - span, "newer_than": at > now - span, "due_within": now <= at <= now + span}[op]
