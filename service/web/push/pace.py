"""Limits how often a view is shown: at once after a rest, BURST frames quickly, then a steady rate. No clock."""

SPACING_S = 0.1
"""At most ten frames a second: faster than people read, slow enough for a burst to become one frame."""

BURST = 10
"""Frames that may follow each other at SPACING_S."""

STEADY_PER_S = 4.0
"""Frames a second of a view that changes all the time. No server can take back frames that a frozen client's kernel
holds: so there are at most BURST + 12 * STEADY_PER_S = 58 of the last 12 s, which is below the allowed 60."""


class Pace:
    """A token bucket: holds BURST tokens, refills STEADY_PER_S a second, and each published frame takes one."""

    def __init__(self) -> None:
        self._tokens = float(BURST)
        self._refilled_at = 0.0

    def rest_s(self, read_at: float, *, published: bool) -> float:
        """Returns the seconds from `read_at` to the next allowed read; `read_at` is seconds of a monotonic clock."""
        self._tokens = min(BURST, self._tokens + (read_at - self._refilled_at) * STEADY_PER_S)
        self._refilled_at = read_at
        if not published:
            return SPACING_S
        self._tokens -= 1
        return max(SPACING_S, (1 - self._tokens) / STEADY_PER_S)
