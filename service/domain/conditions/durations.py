"""Parses ISO 8601 durations into microseconds. Never takes years or months: they have no fixed length."""

import re
from fractions import Fraction

_SECOND_US = 1_000_000
_UNITS_US = {
    "weeks": 7 * 86_400 * _SECOND_US,
    "days": 86_400 * _SECOND_US,  # P1D is 24 hours, whatever the calendar says
    "hours": 3_600 * _SECOND_US,
    "minutes": 60 * _SECOND_US,
    "seconds": _SECOND_US,
}

_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_DURATION = re.compile(
    rf"P(?=[0-9T])(?:(?P<weeks>{_NUMBER})W)?(?:(?P<days>{_NUMBER})D)?"
    rf"(?:T(?=[0-9])(?:(?P<hours>{_NUMBER})H)?(?:(?P<minutes>{_NUMBER})M)?(?:(?P<seconds>{_NUMBER})S)?)?"
)

_WITH_YEARS = re.compile("P[^T]*[YM]")

_LONGEST_TEXT = 64
"""Characters. No real duration is longer, and parsing numbers of unlimited length would take time."""

LONGEST_US = 10_000 * 366 * 86_400 * _SECOND_US
"""RFC 3339 has 10,000 years, so no two instants are further apart. An instant plus a duration fits into 64 bits."""


def parse_duration(text: str) -> int:
    """Returns the microseconds of a duration of weeks, days, hours, minutes and seconds (`P1DT12H`, `PT0.5S`, `P2W`).

    Only the last number may have decimals; digits below a microsecond are dropped. Raises ValueError for any other
    text, also one with a sign, and for more than `LONGEST_US`.
    """
    match = _DURATION.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if match is None:
        raise _no_duration(text)
    parts = [(unit, number.replace(",", ".")) for unit, number in match.groupdict().items() if number is not None]
    if any("." in number for _, number in parts[:-1]):
        raise _no_duration(text)
    us = int(sum(Fraction(number) * _UNITS_US[unit] for unit, number in parts))
    if us > LONGEST_US:
        raise ValueError("longer than 10,000 years")
    return us


def _no_duration(text: str) -> ValueError:
    hint = ", years and months have no fixed length" if _WITH_YEARS.match(text[:_LONGEST_TEXT]) else ""
    return ValueError(f"not an ISO 8601 duration such as PT24H or P1D{hint}")
