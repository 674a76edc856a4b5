"""Local days for tests. Asserts nothing."""

from service import timezones
from service.domain.counting.local_days import LocalDay

NOON_US = 1_795_262_400_000_000
"""2026-11-21T12:00:00Z."""


def day(zone: str = "UTC", now: int = NOON_US) -> LocalDay:
    """The day of an instant in a zone."""
    return timezones.day_at(now, zone)
