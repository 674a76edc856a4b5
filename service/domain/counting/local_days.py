"""Calendar words as spans of instants in a time zone. Pure: the zone is an argument.

A local day is [first instant of its date, first instant of the next date), also when midnight is missing or occurs
twice. Example: in Asia/Kathmandu (UTC+05:45) 2026-11-21 runs from 2026-11-20T18:15Z to 2026-11-21T18:15Z.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

import msgspec

from service.domain.conditions.operators import WORDS
from service.domain.tickets.ticket import Instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


class LocalDay(msgspec.Struct, frozen=True):
    """A date in a time zone, and the calendar words' spans on that date."""

    zone: str
    date: str
    """ISO 8601, `2026-11-21`."""
    windows: tuple[tuple[Instant, Instant], ...]
    """For each of `operators.WORDS`: the first instant inside, and the first instant after it.

    They are equal when the zone skipped the day.
    """

    def window(self, word: str) -> tuple[Instant, Instant]:
        """Returns the span of a calendar word. Raises ValueError for any other word."""
        return self.windows[WORDS.index(word)]

    @property
    def ends(self) -> Instant:
        """The first instant at which the zone shows a later date."""
        return self.window("today")[1]


def local_day(name: str, zone: tzinfo, on: date) -> LocalDay:
    """Returns the local day of a date in a zone called `name`."""
    windows = (tuple(first_instant(day, zone) for day in _dates(word, on)) for word in WORDS)
    return LocalDay(name, on.isoformat(), tuple(windows))  # type: ignore[arg-type]  # each has two


def local_date(instant_us: Instant, zone: tzinfo) -> date:
    """Returns the date in the zone at an instant."""
    return (_EPOCH + timedelta(microseconds=instant_us)).astimezone(zone).date()


def first_instant(day: date, zone: tzinfo) -> Instant:
    """Returns the first instant whose date in the zone is `day`, or a later date when the zone skipped `day`."""
    midnight = datetime.combine(day, time.min, zone)
    first, again = _instant(midnight), _instant(midnight.replace(fold=1))
    if again >= first:  # it occurs once or twice
        return first
    # Midnight is missing. PEP 495 converts a missing time with the offset before the clock change (fold=0) or after it
    # (fold=1). So the clock changes after `again`, and not later than `first`.
    while first - again > 1:
        middle = (first + again) // 2
        if local_date(middle, zone) < day:
            again = middle
        else:
            first = middle
    return first


def _instant(local: datetime) -> Instant:
    return (local - _EPOCH) // _MICROSECOND


def _dates(word: str, today: date) -> tuple[date, date]:
    """Returns the first date of a calendar word, and the first date after it."""
    match word:
        case "today":
            return today, today + _DAY
        case "yesterday":
            return today - _DAY, today
        case "tomorrow":
            return today + _DAY, today + 2 * _DAY
        case "this_week":
            monday = today - today.weekday() * _DAY
            return monday, monday + 7 * _DAY
        case "this_month":
            first = today.replace(day=1)
            return first, (first + 31 * _DAY).replace(day=1)
        case _:
            raise ValueError(f"{word!r} is no calendar word")
