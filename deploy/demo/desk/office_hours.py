"""The help desk's office hours: Monday to Friday, 8 to 18 h UTC. Pure; knows no holidays."""

import random

US = 1_000_000
HOUR_US = 3_600 * US
DAY_US = 24 * HOUR_US

OPENS, CLOSES = 8, 18
"""Hours of the day, in UTC."""

THURSDAY = 3
"""The weekday of 1970-01-01; Monday is 0."""

OUT_OF_HOURS = 0.08
"""Activity outside office hours: alarms, and people who work late."""

LUNCH = 0.6
"""Activity from 12 to 13 h."""


def activity(at_us: int) -> float:
    """Returns how busy the desk is at an instant: 1 is the busiest."""
    hour = at_us % DAY_US / HOUR_US
    if _weekday(at_us) > 4 or not OPENS <= hour < CLOSES:
        return OUT_OF_HOURS
    return LUNCH if 12 <= hour < 13 else 1.0


def busy_instant(rng: random.Random, from_us: int, to_us: int) -> int:
    """Returns a random instant of the span, weighted by activity."""
    while True:
        at_us = rng.randrange(from_us, to_us)
        if rng.random() < activity(at_us):
            return at_us


def within_hours(at_us: int) -> int:
    """Returns the instant if it is in office hours, else the next opening."""
    while _weekday(at_us) > 4 or at_us % DAY_US >= CLOSES * HOUR_US:
        at_us = at_us - at_us % DAY_US + DAY_US
    return max(at_us, at_us - at_us % DAY_US + OPENS * HOUR_US)


def _weekday(at_us: int) -> int:
    return (at_us // DAY_US + THURSDAY) % 7
