"""Instants: exactly the texts of RFC 3339 are parsed, without loss. Takes the calendar from datetime."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.tickets.instant import (
    FIRST_INSTANT,
    LAST_INSTANT,
    format_instant,
    format_instant_exactly,
    parse_instant,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
A_SECOND_US = 1_000_000

# RFC 3339, section 5.6, with the ranges of its comments, except for the number of days in each month.
GRAMMAR = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)


def us(*moment: int) -> int:
    return (datetime(*moment, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "instant_us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", -A_SECOND_US),
        ("2026-11-21T10:15:00Z", us(2026, 11, 21, 10, 15)),
        ("2026-11-21T10:15:00.000Z", us(2026, 11, 21, 10, 15)),
        ("2026-11-21t10:15:00z", us(2026, 11, 21, 10, 15)),
        ("2026-11-21T10:15:00.5Z", us(2026, 11, 21, 10, 15, 0, 500_000)),
        ("2026-11-21T10:15:00.000001Z", us(2026, 11, 21, 10, 15, 0, 1)),
        ("1969-12-31T23:59:59.25Z", -750_000),
        ("2026-11-21T10:15:00+00:00", us(2026, 11, 21, 10, 15)),
        ("2026-11-21T10:15:00-00:00", us(2026, 11, 21, 10, 15)),
        ("2026-11-21T10:15:00+05:45", us(2026, 11, 21, 4, 30)),
        ("2026-11-21T10:15:00.25-23:59", us(2026, 11, 22, 10, 14, 0, 250_000)),
        ("2024-02-29T00:00:00Z", us(2024, 2, 29)),
        ("0001-01-01T00:00:00Z", us(1, 1, 1)),
        ("9999-12-31T23:59:59.999999Z", us(9999, 12, 31, 23, 59, 59, 999_999)),
    ],
)
def test_instants_are_microseconds_since_the_epoch(text: str, instant_us: int) -> None:
    assert parse_instant(text) == instant_us


@pytest.mark.parametrize("text", ["2026-11-21T10:15:00.1234567Z", "2026-11-21T10:15:00.123456999999999999Z"])
def test_digits_beyond_the_microsecond_are_dropped(text: str) -> None:
    assert parse_instant(text) == us(2026, 11, 21, 10, 15, 0, 123_456)


@pytest.mark.parametrize(
    ("text", "instant_us"),
    [
        ("2016-12-31T23:59:60Z", us(2017, 1, 1)),
        ("2016-12-31T23:59:60.75Z", us(2017, 1, 1, 0, 0, 0, 750_000)),
        ("2016-12-31T15:59:60-08:00", us(2017, 1, 1)),
        ("2017-01-01T05:44:60+05:45", us(2017, 1, 1)),
    ],
)
def test_a_leap_second_is_the_second_after_it(text: str, instant_us: int) -> None:
    assert parse_instant(text) == instant_us


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-21",
        "2026-11-21T",
        "2026-11-21T10:15Z",
        "2026-11-21T10Z",
        "2026-11-21T10:15:00",
        "2026-11-21T10:15:00.5",
        "2026-11-21T10:15:00.Z",
        "2026-11-21T10:15:00,5Z",
        "2026-11-21 10:15:00Z",
        "2026-11-21_10:15:00Z",
        "20261121T101500Z",
        "2026-W47-6T10:15:00Z",
        "2026W476T10:15:00Z",
        "2026-325T10:15:00Z",
        "2026-1-21T10:15:00Z",
        "+2026-11-21T10:15:00Z",
        "12026-11-21T10:15:00Z",
        "2026-11-21T10:15:00ZZ",
        "2026-11-21T10:15:00Z\n",
        " 2026-11-21T10:15:00Z",
        "2026-11-21T10:15:00 Z",
        "2026-11-21T10:15:00UTC",
        "2026-11-21T10:15:00Z[Europe/Paris]",
        "2026-11-21T10:15:00+01",
        "2026-11-21T10:15:00+0100",
        "2026-11-21T10:15:00+01:00:00",
        "2026-11-21T10:15:00+24:00",
        "2026-11-21T10:15:00+01:60",
        "2026-11-21T10:15:00\N{MINUS SIGN}01:00",
        "2026-11-21T24:00:00Z",
        "2026-11-21T10:60:00Z",
        "2026-11-21T10:15:61Z",
        "2026-11-21T10:15:60Z",
        "2026-11-21T23:59:60+01:00",
        "2026-00-21T10:15:00Z",
        "2026-13-21T10:15:00Z",
        "2026-11-00T10:15:00Z",
        "2026-11-31T10:15:00Z",
        "2025-02-29T10:15:00Z",
        "0000-01-01T10:15:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        "\N{ARABIC-INDIC DIGIT TWO}026-11-21T10:15:00Z",
        "2026-11-21T1\N{FULLWIDTH DIGIT ZERO}:15:00Z",
        "2026-11-21T10:15:0\N{FULLWIDTH DIGIT ZERO}Z",
        "2026-11-21T10:15:00.\N{SUPERSCRIPT TWO}Z",
        "1795256100",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_instant(text)


def test_a_refusal_is_one_short_line_whatever_the_text() -> None:
    with pytest.raises(ValueError, match="RFC 3339") as refusal:
        parse_instant("2026\n" * 100_000)
    assert len(str(refusal.value)) < 150
    assert "\n" not in str(refusal.value)


@given(
    st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)),  # noqa: DTZ001 offsets come below
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.integers(0, 9),
)
def test_every_offset_and_fraction_means_the_instant_datetime_says(
    local: datetime, offset_minutes: int, digits: int
) -> None:
    fraction = f"{local.microsecond:06}123"[:digits]
    sign = "-" if offset_minutes < 0 else "+"
    hours, minutes = divmod(abs(offset_minutes), 60)
    text = f"{local:%m-%dT%H:%M:%S}{'.' if fraction else ''}{fraction}{sign}{hours:02}:{minutes:02}"
    kept = local.replace(
        microsecond=int(fraction[:6].ljust(6, "0")), tzinfo=timezone(timedelta(minutes=offset_minutes))
    )
    assert parse_instant(f"{local.year:04}-{text}") == (kept - EPOCH) // timedelta(microseconds=1)


@given(st.from_regex(GRAMMAR, fullmatch=True), st.data())
def test_only_the_grammar_is_read_after_any_edit(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    edited = text[:at] + data.draw(st.text("0123456789-+:.TtZz W/\n٣", max_size=3)) + text[at + cut :]
    try:
        parse_instant(edited)
    except ValueError:
        return
    assert GRAMMAR.fullmatch(edited)


@given(st.integers(FIRST_INSTANT, LAST_INSTANT))
def test_an_instant_written_exactly_is_read_back(instant_us: int) -> None:
    assert parse_instant(format_instant_exactly(instant_us)) == instant_us


@given(st.integers(FIRST_INSTANT, LAST_INSTANT))
def test_milliseconds_are_cut_and_never_rounded_up(instant_us: int) -> None:
    assert 0 <= instant_us - parse_instant(format_instant(instant_us)) < 1_000


def test_instants_are_written_in_utc_with_milliseconds() -> None:
    assert format_instant(parse_instant("2025-07-10T14:34:56.789999+02:00")) == "2025-07-10T12:34:56.789Z"
    assert format_instant(0) == "1970-01-01T00:00:00.000Z"
    assert format_instant(FIRST_INSTANT) == "0001-01-01T00:00:00.000Z"
    assert format_instant_exactly(LAST_INSTANT) == "9999-12-31T23:59:59.999999Z"
