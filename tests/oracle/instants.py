"""Instants, durations and local days, the slow obvious way. Never reads a clock, never shares code with the product.

Instants are whole microseconds since the Unix epoch (`_us`).
"""

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
QUARTER = timedelta(minutes=15)
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000

INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))", re.ASCII
)
DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d+))?S)?)?", re.ASCII)


def parse_instant(text: str) -> int:
    """The instant an RFC 3339 text names, digits beyond microseconds cut. Raises ValueError."""
    found = INSTANT.fullmatch(text)
    if found is None:
        raise ValueError(f"not RFC 3339 with an offset: {text!r}")
    day, hour, minute, second, fraction, sign, off_hours, off_minutes = found.groups()
    at = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        raise ValueError(f"no such time of day: {text!r}")
    micro = int(((fraction or "") + "000000")[:6])
    of_day = timedelta(hours=int(hour), minutes=int(minute), seconds=int(second), microseconds=micro)
    offset = timedelta(0)
    if sign is not None:
        if int(off_hours) > 23 or int(off_minutes) > 59:
            raise ValueError(f"no such offset: {text!r}")
        offset = timedelta(hours=int(off_hours), minutes=int(off_minutes)) * (1 if sign == "+" else -1)
    return (at - EPOCH + of_day - offset) // MICROSECOND


def parse_duration(text: str) -> int:
    """Microseconds of an ISO 8601 duration without years and months; a day is 24 hours. Raises ValueError."""
    found = DURATION.fullmatch(text)
    if found is None or text == "P":
        raise ValueError(f"not a duration without years and months: {text!r}")
    weeks, days, hours, minutes, seconds, fraction = found.groups()
    span = timedelta(
        weeks=int(weeks or 0),
        days=int(days or 0),
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=int(((fraction or "") + "000000")[:6]),
    )
    return span // MICROSECOND


def parse_moment(text: str, now_us: int) -> int:
    """The instant that an RFC 3339 text, or `@now` plus or minus a duration, names. Raises ValueError."""
    if text == "@now":
        return now_us
    if text.startswith("@now+"):
        return now_us + parse_duration(text.removeprefix("@now+"))
    if text.startswith("@now-"):
        return now_us - parse_duration(text.removeprefix("@now-"))
    return parse_instant(text)


@cache
def zone(name: str) -> ZoneInfo:
    """The zone as the `tzdata` package has it: a system's own copy may be stale."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def local_date(at_us: int, timezone: str) -> date:
    """The date on a calendar in that zone."""
    return (EPOCH + at_us * MICROSECOND).astimezone(zone(timezone)).date()


@cache
def first_instant(day: date, timezone: str) -> int:
    """The first instant at which a calendar in that zone shows `day`, or a later date where `day` was skipped."""
    place = zone(timezone)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=36)
    while at.astimezone(place).date() < day:
        at += QUARTER
    at -= QUARTER
    while at.astimezone(place).date() < day:
        at += timedelta(seconds=1)
    return (at - EPOCH) // MICROSECOND


def window(word: str, now_us: int, timezone: str) -> tuple[int, int]:
    """First instant inside, and first instant beyond, of a calendar word as the viewer's zone has it at `now_us`."""
    today = local_date(now_us, timezone)
    monday = today - timedelta(days=today.weekday())
    next_month = (today.replace(day=28) + timedelta(days=4)).replace(day=1)
    days = {
        "today": (today, today + timedelta(days=1)),
        "yesterday": (today - timedelta(days=1), today),
        "tomorrow": (today + timedelta(days=1), today + timedelta(days=2)),
        "this_week": (monday, monday + timedelta(days=7)),
        "this_month": (today.replace(day=1), next_month),
    }
    first, beyond = days[word]
    return first_instant(first, timezone), first_instant(beyond, timezone)
