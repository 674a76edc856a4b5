"""Local days compared with a search quarter by quarter, in zones where midnight is missing or occurs twice."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

import pytest

from service.domain.conditions.operators import WORDS
from service.domain.counting.local_days import first_instant, local_date, local_day
from service.timezones import zone
from tests.oracle import instants as oracle

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)

TWO_YEARS = (date(2025, 1, 1), date(2026, 12, 31))
ZONES = (
    "UTC", "Asia/Kathmandu", "Asia/Beirut", "America/Havana", "Africa/Cairo", "America/Santiago", "Australia/Lord_Howe",
    "America/St_Johns", "America/Nuuk", "Pacific/Chatham", "Pacific/Kiritimati", "America/Asuncion", "Asia/Gaza",
)  # fmt: skip
ODD_DAYS = [
    ("Pacific/Apia", date(2011, 12, 30)),  # skipped
    ("Pacific/Kwajalein", date(1993, 8, 21)),  # skipped
    ("America/St_Johns", date(2007, 11, 4)),  # at 00:01 the clock went back to the day before
    ("America/St_Johns", date(2007, 3, 11)),  # 00:01 to 01:01
    ("America/Toronto", date(1919, 3, 31)),  # 23:30 to 00:30
    ("Asia/Manila", date(1844, 12, 31)),  # skipped, with seconds in its offset
    ("America/Havana", date(2026, 11, 1)),  # 00:00 to 01:00 twice
    ("America/Havana", date(2026, 3, 8)),  # no midnight
    ("America/Santiago", date(2026, 9, 6)),  # no midnight
    ("America/Santiago", date(2026, 4, 4)),  # its last hour twice
]


def window(word: str, now: int, place: tzinfo) -> tuple[int, int]:
    """Returns the span of the word at that instant."""
    return local_day("it", place, local_date(now, place)).window(word)


def us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def walked(name: str, first: date, last: date) -> Iterator[tuple[date, int]]:
    """Yields each date with the first quarter of an hour that has this date or a later one."""
    place, moment = zone(name), datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(hours=30)
    wanted = first
    while wanted <= last:
        if moment.astimezone(place).date() >= wanted:
            yield wanted, us(moment)
            wanted += timedelta(days=1)
        else:
            moment += QUARTER


@pytest.mark.parametrize("name", ZONES)
def test_every_day_of_two_years_begins_when_the_calendar_turns(name: str) -> None:
    expected = dict(walked(name, *TWO_YEARS))
    assert {day: first_instant(day, zone(name)) for day in expected} == expected


@pytest.mark.parametrize(("name", "day"), ODD_DAYS)
def test_odd_days_begin_when_the_calendar_turns(name: str, day: date) -> None:
    for days in (-1, 0, 1, 2):
        each = day + timedelta(days=days)
        first = first_instant(each, zone(name))
        assert first == oracle.first_instant(each, name)
        assert local_date(first - 1, zone(name)) < each <= local_date(first, zone(name))


def test_a_skipped_day_has_no_instants() -> None:
    noon_before = us(datetime(2011, 12, 29, 22, tzinfo=UTC))  # noon of the 29th there
    first, beyond = window("tomorrow", noon_before, zone("Pacific/Apia"))
    assert first == beyond == us(datetime(2011, 12, 30, 10, tzinfo=UTC))
    assert window("today", first, zone("Pacific/Apia")) == (first, first + 24 * 3_600_000_000)


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("word", WORDS)
def test_words_are_windows_of_whole_local_days(word: str, name: str) -> None:
    for day in (date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 25), date(2026, 12, 31)):
        midnight = first_instant(day, zone(name))
        for now in (midnight - 1, midnight, midnight + 45_296_000_001):
            assert window(word, now, zone(name)) == oracle.window(word, now, name)


def test_weeks_begin_on_monday() -> None:
    sunday = us(datetime(2026, 11, 22, 23, 59, tzinfo=UTC))
    monday = us(datetime(2026, 11, 16, tzinfo=UTC))
    assert window("this_week", sunday, zone("UTC")) == (monday, monday + 7 * 86_400_000_000)


def test_other_words_are_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        window("next_week", 0, zone("UTC"))
