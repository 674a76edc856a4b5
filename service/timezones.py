"""Time zones of the `tzdata` package, whatever the system has. Never reads the system's own copy: those go stale."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from service.domain.ticket import Instant

DEFAULT = "UTC"

NO_PLACE = "Factory"
"""In the package's list, but it means "not set up": no viewer lives there."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def names() -> frozenset[str]:
    """Every name that may be asked for, links included, in its exact letter case."""
    listed = resources.files("tzdata").joinpath("zones").read_text("ascii").split()
    return frozenset(listed) - {NO_PLACE}


@cache  # bounded: there are some 600 names
def zone(name: str) -> tzinfo:
    """The zone of one of `names()`."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def local_date(instant_us: Instant, name: str) -> date:
    """The calendar date there at that instant; `name` is one of `names()`."""
    return (_EPOCH + timedelta(microseconds=instant_us)).astimezone(zone(name)).date()
