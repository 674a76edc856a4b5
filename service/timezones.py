"""Time zones of the `tzdata` package, whatever the system has. Never reads the system's own copy: those go stale.

Counts are kept by quarters of an hour, so every local day has to begin with one. Every zone's do today; one that ever
didn't would be refused by name rather than counted a little wrongly.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from importlib import metadata, resources
from zoneinfo import ZoneInfo

import structlog

from service.domain.counting.local_days import LocalDay, first_instant, local_day
from service.domain.tickets.ticket import QUARTER_US, Instant

log = structlog.stdlib.get_logger(__name__)

DEFAULT = "UTC"

NO_PLACE = "Factory"
"""In the package's list, but it means "not set up": no viewer lives there."""

YEARS_CHECKED = (-1, 3)
"""From the year before the package's release: windows look back a month. After it only yearly rules repeat."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEK, _QUARTER = timedelta(days=7), timedelta(minutes=15)


def version() -> str:
    """Which release of the time zone database is in use."""
    return metadata.version("tzdata")


@cache
def names() -> frozenset[str]:
    """Every name that may be asked for, links included, in its exact letter case."""
    return frozenset(_listed()) - refused()


@cache
def refused() -> frozenset[str]:
    """Zones of the package where some day doesn't begin with a quarter of an hour in UTC: none today."""
    uneven: dict[bytes, bool] = {}  # most names are links to others
    bad = set()
    for name in _listed():
        content = _file(name)
        if content not in uneven:
            uneven[content] = not is_even(zone(name), int(version()[:4]))
        if uneven[content]:
            bad.add(name)
    return frozenset(bad)


def log_refused() -> None:
    """Says loudly which zones are refused."""
    if refused():
        log.error("time zones refused: their days do not begin with a quarter of an hour", zones=sorted(refused()))


def is_even(place: tzinfo, released: int) -> bool:
    """Whether every local day of the years checked begins with a quarter of an hour in UTC."""
    first, beyond = (date(released + years, 1, 1) for years in YEARS_CHECKED)
    offset = _offset(place, first)
    if offset % _QUARTER:
        return False
    for week in range((beyond - first) // _WEEK):
        following = _offset(place, first + (week + 1) * _WEEK)
        if following != offset:  # only there may a day begin with something else than the offset says
            days = (first + week * _WEEK + timedelta(days=number) for number in range(9))
            if any(first_instant(day, place) % QUARTER_US for day in days):
                return False
        offset = following
    return True


def _offset(place: tzinfo, day: date) -> timedelta:
    offset = datetime(day.year, day.month, day.day, 12, tzinfo=place).utcoffset()
    assert offset is not None
    return offset


@cache
def _listed() -> tuple[str, ...]:
    listed = resources.files("tzdata").joinpath("zones").read_text("ascii").split()
    return tuple(name for name in listed if name != NO_PLACE)


def _file(name: str) -> bytes:
    return resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


@cache  # bounded: there are some 600 names
def zone(name: str) -> tzinfo:
    """The zone of that name in the package."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def local_date(instant_us: Instant, name: str) -> date:
    """The calendar date there at that instant; `name` is one of `names()`."""
    return (_EPOCH + timedelta(microseconds=instant_us)).astimezone(zone(name)).date()


def day_at(instant_us: Instant, name: str) -> LocalDay:
    """What calendar words mean there at that instant; `name` is one of `names()`."""
    return _day(name, local_date(instant_us, name))


@lru_cache(maxsize=2_048)  # three dates of every zone
def _day(name: str, on: date) -> LocalDay:
    return local_day(name, zone(name), on)
