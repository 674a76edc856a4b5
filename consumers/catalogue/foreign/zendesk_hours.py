"""Translates Zendesk's conditions on hours since or until an instant. Never translates business hours."""

from collections.abc import Sequence

from consumers.catalogue.foreign.name_map import NameMap
from consumers.catalogue.foreign.translation import Node, NoEquivalent, leaf

SINCE: dict[str, str | None] = {
    "NEW": "createdAt",
    "updated_at": "updatedAt",
    "CLOSED": "closedAt",
    "due_date": "dueAt",
    "sla_next_breach_at": "slaDueAt",
    "OPEN": None,
    "PENDING": None,
    "HOLD": None,
    "SOLVED": None,
    "assigned_at": None,
    "requester_updated_at": None,
    "assignee_updated_at": None,
}
"""Zendesk's fields -> ours. None: we have no such instant unless the name map names one."""

UNTIL: dict[str, str | None] = {"until_due_date": "dueAt", "until_sla_next_breach_at": "slaDueAt"}

FIELDS = SINCE | UNTIL

_MOST_HOURS = 87_600_000
"""Ten thousand years: the limit of durations in conditions."""


def condition(field: str, operator: str, values: Sequence[str], names: NameMap) -> Node:
    """Translates a condition on hours. Raises NoEquivalent.

    `is` means a whole hour: `NEW is 24` holds for tickets that are at least 24 and less than 25 hours old.
    """
    target = names.field(field, FIELDS[field])
    if target.values != "instant":
        raise NoEquivalent(f"{target.field} is no instant")
    hours = _hours(values)
    if operator not in ("is", "less_than", "greater_than"):
        raise NoEquivalent(f"operator: {operator} has no equivalent")
    return _until(target.field, operator, hours) if field in UNTIL else _since(target.field, operator, hours)


def _since(field: str, operator: str, hours: int) -> Node:
    if operator == "greater_than":
        return leaf(field, "older_than", f"PT{hours}H")
    if operator == "less_than":
        return _passed_within(field, hours)
    return {"all": [leaf(field, "older_than", f"PT{hours}H"), _passed_within(field, hours + 1)]}


def _passed_within(field: str, hours: int) -> Node:
    """Builds a node: the instant has passed, less than so many hours ago."""
    newer = leaf(field, "newer_than", f"PT{hours}H")
    return {"all": [newer, leaf(field, "older_than", "PT0H")]} if field in ("dueAt", "slaDueAt") else newer


def _until(field: str, operator: str, hours: int) -> Node:
    if operator == "less_than":
        return leaf(field, "due_within", f"PT{hours}H")
    if operator == "greater_than":
        return leaf(field, "after", f"@now+PT{hours}H")
    return leaf(field, "between", [f"@now+PT{hours}H", f"@now+PT{hours + 1}H"])


def _hours(values: Sequence[str]) -> int:
    if len(values) != 1 or not (values[0].isascii() and values[0].isdigit()):
        raise NoEquivalent("value: expected a whole number of hours")
    hours = int(values[0]) if len(values[0]) <= len(str(_MOST_HOURS)) else _MOST_HOURS
    if hours >= _MOST_HOURS:
        raise NoEquivalent(f"value: more than {_MOST_HOURS:,} hours")
    return hours
