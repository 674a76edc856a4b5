"""Durations of fixed length in ISO 8601."""

import pytest

from service.domain.conditions.durations import LONGEST_US, parse_duration

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("P1D", DAY_US),
        ("PT24H", DAY_US),
        ("P2W", 14 * DAY_US),
        ("P1DT2H3M4S", DAY_US + 2 * HOUR_US + 184_000_000),
        ("PT0S", 0),
        ("PT0.000001S", 1),
        ("PT0.0000019S", 1),
        ("P0,5D", 12 * HOUR_US),
        ("PT90M", 90 * 60_000_000),
    ],
)
def test_durations_are_of_fixed_length(text: str, us: int) -> None:
    assert parse_duration(text) == us


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1", "1D", "p1d", "P1DT", "PT1H1", "P1H", "PT1D", "P1Y", "P1M", "P0.5DT1H", "P-1D", "+P1D", " P1D",
     "P1D\n", "P٣D", "PT1.S", "PT.5S", "P" + "9" * 5000 + "D", "P99999999999D"],
)  # fmt: skip
def test_what_is_no_duration_of_fixed_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an ISO 8601 duration|longer than"):
        parse_duration(text)
    assert parse_duration("P3660000D") == LONGEST_US
