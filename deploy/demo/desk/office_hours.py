"""When a help desk works: Monday to Friday, eight to six. Pure, in UTC, and knows no holiday."""

import random

US = 1_000_000
HOUR_US = 3_600 * US
DAY_US = 24 * HOUR_US

OPENS, CLOSES = 8, 18
"""Hours of the day."""

THURSDAY = 3
"""The weekday of 1970-01-01, counted from Monday."""

OUT_OF_HOURS = 0.08
"""How much comes in outside of these hours, against the busiest: alarms, and people who work late."""

LUNCH = 0.6


def activity(at_us: int) -> float:
    """How busy the desk is at an instant, from 0 to 1."""
    hour = at_us % DAY_US / HOUR_US
    if _weekday(at_us) > 4 or not OPENS <= hour < CLOSES:
        return OUT_OF_HOURS
    return LUNCH if 12 <= hour < 13 else 1.0


def busy_instant(rng: random.Random, from_us: int, to_us: int) -> int:
    """An instant of the span, more often one at which the desk is busy."""
    while True:
        at_us = rng.randrange(from_us, to_us)
        if rng.random() < activity(at_us):
            return at_us


def within_hours(at_us: int) -> int:
    """The instant itself during office hours, else the next opening."""
    while _weekday(at_us) > 4 or at_us % DAY_US >= CLOSES * HOUR_US:
        at_us = at_us - at_us % DAY_US + DAY_US
    return max(at_us, at_us - at_us % DAY_US + OPENS * HOUR_US)


def _weekday(at_us: int) -> int:
    return (at_us // DAY_US + THURSDAY) % 7
