"""Every local day of two years in every time zone, against a calendar that is looked at quarter by quarter.

The walk shares nothing with the product but the zones themselves: it steps until a clock shows another date.
"""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from service import timezones
from service.domain.counting.windows import Region
from service.domain.tickets.ticket import QUARTER_US
from tests.support.examples import is_quick

FIRST, DAYS = date(2026, 1, 1), 730
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US, SECOND_US = 96 * QUARTER_US, 1_000_000
SHORTEST_US = 22 * 4 * QUARTER_US
"""No local day is shorter: the walk may skip this much of one."""
SUMMER_TIME, SHARE = "America/New_York", 10
TODAY = Region(("today",), ())


def distinct_zones() -> list[str]:
    """One name for each content of the package: the others are links to it."""
    names: dict[bytes, str] = {}
    for name in sorted(timezones.names()):
        content = resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
        names.setdefault(content, name)
    return sorted(names.values())


def date_shown(place: ZoneInfo, at_us: int) -> date:
    return (EPOCH + timedelta(microseconds=at_us)).astimezone(place).date()


def walked(name: str) -> Iterator[int]:
    """The first instant of each date from FIRST on, one more than DAYS."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        place = ZoneInfo.from_file(file)
    at_us = ((FIRST - EPOCH.date()).days - 2) * DAY_US
    for number in range(DAYS + 1):
        while date_shown(place, at_us) < FIRST + timedelta(days=number):
            at_us += QUARTER_US
        yield at_us
        at_us += SHORTEST_US


def zones_of_this_run() -> list[str]:
    """All in `make test-all`; in `make test` one with summer time and a tenth of the others, another tenth each day."""
    if not is_quick():
        return distinct_zones()
    others = [name for name in distinct_zones() if name != SUMMER_TIME]
    return [SUMMER_TIME, *others[datetime.now(UTC).toordinal() % SHARE :: SHARE]]


@pytest.mark.timeout(300)
def test_today_is_right_in_every_zone_on_every_day_of_two_years() -> None:
    chance = random.Random(13)
    lengths = set()
    for name in zones_of_this_run():
        starts = list(walked(name))
        for start, beyond in pairwise(starts):
            lengths.add((beyond - start) // (4 * QUARTER_US))
            for at_us in (start, beyond - SECOND_US, chance.randrange(start, beyond)):
                day = timezones.day_at(at_us, name)
                assert day.window("today") == (start, beyond), (name, at_us)
                assert day.ends == beyond
            assert TODAY.spans(day) == ((start // QUARTER_US, beyond // QUARTER_US),)
    assert {23, 24, 25} <= lengths, "days without and with a doubled hour were among them"


def test_every_name_is_one_of_the_zones_walked() -> None:
    assert len(timezones.names()) > 590
    assert set(distinct_zones()) <= timezones.names()
    assert timezones.refused() == frozenset()
