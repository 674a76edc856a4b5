"""Examples of instants, durations and the bounds of local days, also with a missing or repeated midnight."""

import pytest

from tests.oracle.instants import DAY_US, HOUR_US, parse_duration, parse_instant, parse_moment, window

NOON = parse_instant("2026-11-21T12:00:00Z")


def test_an_instant_may_be_spelt_in_many_ways() -> None:
    assert parse_instant("1970-01-01T00:00:00.000001Z") == 1
    same = (
        "2026-11-21T12:00:00.000Z",
        "2026-11-21t17:45:00+05:45",
        "2026-11-20T22:00:00-14:00",
        "2026-11-21T12:00:00z",
    )
    assert {parse_instant(text) for text in same} == {NOON}


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-11-21", "2026-11-21T12:00:00", "2026-11-21T12:00Z", "2026-02-29T12:00:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T12:60:00Z", "2026-11-21T12:00:00+24:00", "2026-11-21T12:00:00+0545", " 2026-11-21T12:00:00Z",
        "2026-11-21T12:00:00Z\n", "\uff12026-11-21T12:00:00Z",
    ],
)  # fmt: skip
def test_anything_else_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_instant(text)


def test_durations_have_no_years_or_months() -> None:
    assert parse_duration("P1D") == parse_duration("PT24H") == DAY_US
    assert parse_duration("P1DT2H30M1.5S") == DAY_US + 2 * HOUR_US + 1_801_500_000
    for text in ("", "P", "PT", "P1DT", "P1M", "P1Y", "1D", "-P1D", "P1H", "PT1D", "pt1h"):
        with pytest.raises(ValueError, match="duration"):
            parse_duration(text)
    assert parse_moment("@now-PT24H", NOON) == NOON - DAY_US


@pytest.mark.parametrize(
    ("timezone", "now", "start", "hours"),
    [
        ("UTC", "2026-11-21T12:00:00Z", "2026-11-21T00:00:00Z", 24),
        ("Asia/Kathmandu", "2026-11-21T18:15:00Z", "2026-11-21T18:15:00Z", 24),
        ("America/New_York", "2024-03-10T12:00:00Z", "2024-03-10T05:00:00Z", 23),
        ("America/New_York", "2024-11-03T12:00:00Z", "2024-11-03T04:00:00Z", 25),
        ("America/Havana", "2024-03-10T12:00:00Z", "2024-03-10T05:00:00Z", 23),  # Midnight is missing.
        ("America/Havana", "2024-11-03T12:00:00Z", "2024-11-03T04:00:00Z", 25),  # Midnight occurs twice.
        ("Australia/Lord_Howe", "2024-10-05T20:00:00Z", "2024-10-05T13:30:00Z", 23.5),
    ],
)
def test_a_local_day_runs_from_its_first_instant_to_the_next_days(
    timezone: str, now: str, start: str, hours: float
) -> None:
    first = parse_instant(start)
    assert window("today", parse_instant(now), timezone) == (first, first + int(hours * HOUR_US))


def test_a_skipped_date_has_no_instants() -> None:
    # Samoa had no 30 December 2011.
    at = parse_instant("2011-12-30T12:00:00Z")
    start, beyond = window("yesterday", at, "Pacific/Apia")
    assert start == beyond == parse_instant("2011-12-30T10:00:00Z")


def test_weeks_start_on_monday_and_months_on_their_first() -> None:
    assert window("this_week", NOON, "UTC") == (
        parse_instant("2026-11-16T00:00:00Z"),
        parse_instant("2026-11-23T00:00:00Z"),
    )
    assert window("this_month", parse_instant("2026-12-31T12:00:00Z"), "UTC") == (
        parse_instant("2026-12-01T00:00:00Z"),
        parse_instant("2027-01-01T00:00:00Z"),
    )
