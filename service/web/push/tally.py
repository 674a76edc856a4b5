"""Counts stream events as plain numbers. Takes no lock, as a metric would for each frame to thousands of streams."""

from bisect import bisect_left
from collections import Counter

LATENCY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds from an idle process to two missed reads of a view, RECONCILE_S each."""

AGE_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3_600.0)
"""Bounds from an event that was just applied to a desk without events for an hour."""


class SecondsHistogram:
    """A histogram of seconds."""

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)
        """One per bound, not cumulative, and one more for values above the last bound."""
        self.sum_s = 0.0

    def note(self, seconds: float) -> None:
        """Counts one value."""
        self.counts[bisect_left(self.bounds_s, seconds)] += 1
        self.sum_s += seconds


class StreamTally:
    """The counts of one process. All but `open` are totals since its start."""

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()
        """Open streams by how the caller was authenticated: `token` or `ticket`."""
        self.opened: Counter[str] = Counter()
        """How streams began: `fresh` without a last event id, else their first event, `current` or `snapshot`."""
        self.turned_away: Counter[str] = Counter()
        """Refused streams by the reason of their `bye`."""
        self.closed: Counter[str] = Counter()
        """By the reason of the `bye`; `gone` when the client left first."""
        self.frames: Counter[str] = Counter()
        """Sent frames by event name."""
        self.conflated = 0
        """States that a slow stream skipped for a newer one."""
        self.gaps = 0
        """Subscriptions to hints after the first: hints may have been lost in between."""
        self.latency = SecondsHistogram(LATENCY_S)
        """Time from the hint of a change to its frame being handed to the connection."""
        self.age = SecondsHistogram(AGE_S)
        """Age of the newest event in each newly published state."""
