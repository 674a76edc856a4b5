"""What is counted of streams, as plain numbers: a frame to thousands of streams must not cost a metric's lock each."""

from bisect import bisect_left
from collections import Counter

LATENCY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""From an idle process to two missed looks of a view."""

AGE_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3_600.0)
"""From an event applied a moment ago to a desk that rests."""


class Spread:
    """A histogram: how many values were at most each bound, and their sum."""

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)
        """Not cumulative; the last is for what is above every bound."""
        self.sum_s = 0.0

    def note(self, seconds: float) -> None:
        """Counts one value."""
        self.counts[bisect_left(self.bounds_s, seconds)] += 1
        self.sum_s += seconds


class StreamTally:
    """Of one process, since its start but for `open`."""

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()
        """By kind: how the caller was known, `token` or `ticket`."""
        self.opened: Counter[str] = Counter()
        """`fresh`, or coming back to `current` or to a `snapshot`."""
        self.turned_away: Counter[str] = Counter()
        """By reason, without ever having been open."""
        self.closed: Counter[str] = Counter()
        """By the reason of the `bye`, or `gone` where the client left first."""
        self.frames: Counter[str] = Counter()
        """By event."""
        self.conflated = 0
        """States that a stream was never shown, because a newer one came before it could take them."""
        self.gaps = 0
        """Subscriptions to hints after the first: hints in between may be lost."""
        self.latency = Spread(LATENCY_S)
        """From a view's hearing of a change to its frame being handed to the connection."""
        self.age = Spread(AGE_S)
        """How old the newest event was in what a view began to show."""
