"""Parses strict RFC 3339 into microseconds, and formats microseconds in UTC. Pure: never reads a clock."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from service.domain.tickets.ticket import Instant

_SECOND_US = 1_000_000
_MINUTE_US = 60 * _SECOND_US
_DAY_US = 24 * 60 * _MINUTE_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()

FIRST_INSTANT: Instant = (date.min.toordinal() - _EPOCH_ORDINAL) * _DAY_US
"""The start of year 1 in UTC: Python's calendar has no year 0."""
LAST_INSTANT: Instant = (date.max.toordinal() + 1 - _EPOCH_ORDINAL) * _DAY_US - 1
"""The end of year 9999 in UTC: RFC 3339 years have four digits."""

_FULL_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SECONDS_AND_OFFSET = re.compile(r":([0-9]{2})(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))")

# An event has up to six instants. Parsing each with a regular expression costs more than the rest of its decoding. The
# usual form is cut into date, minute and seconds instead, and each piece is looked up in a table: 0.3 µs, and strict.
_MINUTE_OF_DAY = {
    f"{t}{hour:02}:{minute:02}": (hour * 60 + minute) * _MINUTE_US
    for t in "Tt"
    for hour in range(24)
    for minute in range(60)
}
# Includes `.000`, because JavaScript's toISOString() always writes milliseconds.
_WHOLE_SECOND_UTC = {
    f":{second:02}{fraction}Z": second * _SECOND_US for fraction in ("", ".000") for second in range(60)
}
_REMEMBERED_DAYS = 4_096  # eleven years of dates, in some 600 KB

_SHOWN_CHARACTERS = 40  # of a wrong text, so that the error message stays one line


def parse_instant(text: str) -> Instant:
    """Returns the microseconds since the epoch of an RFC 3339 date-time with offset (section 5.6).

    Digits below a microsecond are dropped. A leap second at the end of a UTC day becomes the second after it:
    `2016-12-31T23:59:60Z` is `2017-01-01T00:00:00Z`. Raises ValueError for any other text, and for an instant outside
    the years 1 to 9999 in UTC.
    """
    try:
        minute_us = _day_us(text[:10]) + _MINUTE_OF_DAY[text[10:16]]
    except (KeyError, ValueError):
        raise _no_instant(text) from None
    second_us = _WHOLE_SECOND_UTC.get(text[16:])
    if second_us is None:
        return _instant_within(minute_us, text)
    return minute_us + second_us


def format_instant(instant_us: Instant) -> str:
    """Returns RFC 3339 in UTC with milliseconds, `2025-07-10T12:34:56.789Z`. Finer digits are dropped."""
    return _formatted(instant_us, "milliseconds")


def format_instant_exactly(instant_us: Instant) -> str:
    """Returns RFC 3339 in UTC with microseconds, so that `parse_instant` returns the same number."""
    return _formatted(instant_us, "microseconds")


@lru_cache(maxsize=_REMEMBERED_DAYS)
def _day_us(text: str) -> int:
    """Returns the start of that UTC day. Raises ValueError unless the text is a valid full-date."""
    if not _FULL_DATE.fullmatch(text):  # fromisoformat also accepts week dates
        raise ValueError(text)
    return (date.fromisoformat(text).toordinal() - _EPOCH_ORDINAL) * _DAY_US


def _instant_within(minute_us: int, text: str) -> Instant:
    """Parses seconds with a fraction, with an offset, or a leap second. `minute_us` is the start of the minute."""
    match = _SECONDS_AND_OFFSET.fullmatch(text, 16)
    if not match:
        raise _no_instant(text)
    seconds, fraction, sign, hours, minutes = match.groups()
    instant_us = minute_us + int(seconds) * _SECOND_US
    if sign:
        if hours > "23" or minutes > "59":
            raise _no_instant(text)
        ahead_us = (int(hours) * 60 + int(minutes)) * _MINUTE_US
        instant_us += ahead_us if sign == "-" else -ahead_us
    if seconds > "59" and (seconds > "60" or instant_us % _DAY_US):
        raise _no_instant(text)
    if fraction:
        instant_us += int(fraction[:6].ljust(6, "0"))
    if not FIRST_INSTANT <= instant_us <= LAST_INSTANT:
        raise _no_instant(text)
    return instant_us


def _no_instant(text: str) -> ValueError:
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    return ValueError(f"not an RFC 3339 date-time with an offset: {shown!r}")


@lru_cache(maxsize=4096)  # few instants repeat often: `now` twice in an answer, a tenant's last change in many
def _formatted(instant_us: Instant, timespec: str) -> str:
    moment = _EPOCH + timedelta(microseconds=instant_us)
    return moment.replace(tzinfo=None).isoformat(timespec=timespec) + "Z"
