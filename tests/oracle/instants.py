"""Instants, durations and local days, computed in a slow, obvious way. Never reads a clock or shares product code.

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
    """Returns the instant of an RFC 3339 text; digits below a microsecond are dropped. Raises ValueError."""
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
    """Returns the microseconds of an ISO 8601 duration; a day is 24 hours. ValueError also for years and months."""
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
    """Returns the instant of an RFC 3339 text, or of `@now` plus or minus a duration. Raises ValueError."""
    if text == "@now":
        return now_us
    if text.startswith("@now+"):
        return now_us + parse_duration(text.removeprefix("@now+"))
    if text.startswith("@now-"):
        return now_us - parse_duration(text.removeprefix("@now-"))
    return parse_instant(text)


@cache
def zone(name: str) -> ZoneInfo:
    """Returns the zone of the `tzdata` package: the system's own copy may be out of date."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def local_date(at_us: int, timezone: str) -> date:
    """Returns the date in the zone at an instant."""
    return (EPOCH + at_us * MICROSECOND).astimezone(zone(timezone)).date()


@cache
def first_instant(day: date, timezone: str) -> int:
    """Returns the first instant whose date in the zone is `day`, or a later date when the zone skipped `day`."""
    place = zone(timezone)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=36)
    while at.astimezone(place).date() < day:
        at += QUARTER
    at -= QUARTER
    while at.astimezone(place).date() < day:
        at += timedelta(seconds=1)
    return (at - EPOCH) // MICROSECOND


def window(word: str, now_us: int, timezone: str) -> tuple[int, int]:
    """Returns the first instant inside a calendar word's span at `now_us` in the zone, and the first one after it."""
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
