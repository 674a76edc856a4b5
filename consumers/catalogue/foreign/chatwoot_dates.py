"""Translates Chatwoot's date conditions: whole days in the clause's time zone (UTC by default). Never reads a clock."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from consumers.catalogue.foreign.translation import Node, NoEquivalent, leaf
from consumers.catalogue.printing import instant
from service import timezones

_MOST_DAYS = 3_650_000
"""Ten thousand years: the limit of durations in conditions."""

DAYS_NOTE = (
    "days_before counts days of 24 hours back from now, as Chatwoot's dashboard does; its server takes whole dates"
)


def condition(field: str, operator: str, values: Sequence[str], zone: str, notes: list[str]) -> Node:
    """Translates a date condition into a leaf on an instant. Raises NoEquivalent.

    Example: `is_greater_than 2026-11-21` means from 2026-11-22T00:00 on, in the zone.
    """
    if operator in ("is_present", "is_not_present"):
        return leaf(field, "is_not_empty" if operator == "is_present" else "is_empty")
    if len(values) != 1:
        raise NoEquivalent("values: expected one")
    match operator:
        case "is_greater_than":
            return leaf(field, "ge", _first_instant(_date(values[0]), zone, 1))
        case "is_less_than":
            return leaf(field, "before", _first_instant(_date(values[0]), zone, 0))
        case "days_before":
            notes.append(DAYS_NOTE)
            return leaf(field, "older_than", f"P{_days(values[0])}D")
    raise NoEquivalent(f"filter_operator: {operator} has no equivalent")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NoEquivalent(f"values: {text!r} is no date such as 2026-11-21") from None


def _first_instant(day: date, zone: str, days_later: int) -> str:
    if zone not in timezones.names():
        raise NoEquivalent(f"timezone: {zone!r} is no IANA time zone")
    if not 1 < day.year < 9999:
        raise NoEquivalent(f"values: {day} is out of range")
    later = day + timedelta(days=days_later)
    # If a clock change skips midnight, the offset before the change gives the first instant of the date.
    midnight = datetime(later.year, later.month, later.day, tzinfo=timezones.zone(zone))
    return instant(int(midnight.timestamp()) * 1_000_000)


def _days(text: str) -> int:
    days = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(_MOST_DAYS)) else _MOST_DAYS
    if days >= _MOST_DAYS:
        raise NoEquivalent(f"values: {text!r} is no number of days")
    return days
