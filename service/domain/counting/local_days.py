"""What calendar words mean as instants in a time zone. Pure: the zone is an argument, and none is known here.

A local day is [first instant of that date, first instant of the next), also where midnight is missing or occurs twice.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

import msgspec

from service.domain.conditions.operators import WORDS
from service.domain.tickets.ticket import Instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


class LocalDay(msgspec.Struct, frozen=True):
    """A date in a zone, and what the calendar words mean there that day."""

    zone: str
    date: str
    """As in ISO 8601."""
    windows: tuple[tuple[Instant, Instant], ...]
    """For each of `operators.WORDS` the first instant inside, and the first one beyond.

    Both are the same where the zone skipped the day.
    """

    def window(self, word: str) -> tuple[Instant, Instant]:
        """What one of the words means. Raises ValueError for another one."""
        return self.windows[WORDS.index(word)]

    @property
    def ends(self) -> Instant:
        """The first instant at which the zone shows a later date."""
        return self.window("today")[1]


def local_day(name: str, zone: tzinfo, on: date) -> LocalDay:
    """That date in the zone of that name."""
    windows = (tuple(first_instant(day, zone) for day in _dates(word, on)) for word in WORDS)
    return LocalDay(name, on.isoformat(), tuple(windows))  # type: ignore[arg-type]  # each has two


def local_date(instant_us: Instant, zone: tzinfo) -> date:
    """What a calendar in that zone shows."""
    return (_EPOCH + timedelta(microseconds=instant_us)).astimezone(zone).date()


def first_instant(day: date, zone: tzinfo) -> Instant:
    """The first instant at which a calendar in that zone shows `day`, or a later date where it skipped `day`."""
    midnight = datetime.combine(day, time.min, zone)
    first, again = _instant(midnight), _instant(midnight.replace(fold=1))
    if again >= first:  # it occurs once or twice
        return first
    # PEP 495: a missing time is read by the offset before the jump, or with fold by the one after it. So the clock
    # jumps over midnight somewhere after `again`, and `first` is no earlier than the jump.
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
    """The first date of the word, and the first one after it."""
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
