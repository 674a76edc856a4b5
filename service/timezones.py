"""Time zones of the `tzdata` package. Never reads the system's own copy, which goes stale.

Time buckets are quarters of an hour in UTC, so every local day must begin at the start of one. Today all days of all
zones do. A zone with another day would be refused by name, because its counts would be wrong.
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
"""A name in the package's list that means "not set up". It isn't a place, so no viewer needs it."""

YEARS_CHECKED = (-1, 3)
"""The years that are checked, relative to the package's release: from the year before it, because windows look back a
month, up to the third year after it, exclusive. From then on only yearly rules repeat."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEK, _QUARTER = timedelta(days=7), timedelta(minutes=15)


def version() -> str:
    """Returns the release of the time zone database in use, such as 2025.2."""
    return metadata.version("tzdata")


@cache
def names() -> frozenset[str]:
    """Returns every name that a request may have, links included, in its exact letter case."""
    return frozenset(_listed()) - refused()


@cache
def refused() -> frozenset[str]:
    """Returns the zones in which some day doesn't begin with a quarter of an hour in UTC. Today there are none."""
    uneven: dict[bytes, bool] = {}  # by file content, because most names are links to others
    bad = set()
    for name in _listed():
        content = _file(name)
        if content not in uneven:
            uneven[content] = not is_even(zone(name), int(version()[:4]))
        if uneven[content]:
            bad.add(name)
    return frozenset(bad)


def log_refused() -> None:
    """Logs an error that names the refused zones, if there are any."""
    if refused():
        log.error("time zones refused: their days do not begin with a quarter of an hour", zones=sorted(refused()))


def is_even(place: tzinfo, released: int) -> bool:
    """Returns whether every local day of YEARS_CHECKED begins with a quarter of an hour in UTC.

    `released` is the year of the package's release.
    """
    first, beyond = (date(released + years, 1, 1) for years in YEARS_CHECKED)
    offset = _offset(place, first)
    if offset % _QUARTER:
        return False
    for week in range((beyond - first) // _WEEK):
        following = _offset(place, first + (week + 1) * _WEEK)
        if following != offset:  # where the offset is constant, every day begins as the first one does
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
    """Returns the package's zone of this name."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def local_date(instant_us: Instant, name: str) -> date:
    """Returns the calendar date in a zone at that instant. `name` is one of `names()`."""
    return (_EPOCH + timedelta(microseconds=instant_us)).astimezone(zone(name)).date()


def day_at(instant_us: Instant, name: str) -> LocalDay:
    """Returns the local day in a zone at that instant; `today` and its kin refer to it. `name` is one of `names()`."""
    return _day(name, local_date(instant_us, name))


@lru_cache(maxsize=2_048)  # three dates for every zone
def _day(name: str, on: date) -> LocalDay:
    return local_day(name, zone(name), on)
