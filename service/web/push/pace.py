"""How often a view is shown: at once after a rest, quickly for a moment, steadily where it never rests. No clock."""

SPACING_S = 0.1
"""At most ten frames a second: faster than people read, slow enough for a burst to become one frame."""

BURST = 10
"""Frames that may follow each other so closely."""

STEADY_PER_S = 4.0
"""Frames a second of a view that changes without end. What a frozen client's kernel took for it no server can take
back, however small the frames: so of 12 s it has BURST + 12 * STEADY_PER_S at most, which is below 60."""


class Pace:
    """A token bucket: a frame takes one of BURST tokens, and STEADY_PER_S come back a second."""

    def __init__(self) -> None:
        self._tokens = float(BURST)
        self._at = 0.0

    def rest_s(self, read_at: float, *, published: bool) -> float:
        """How long after `read_at`, in seconds of a clock that never goes back, the view may be read again."""
        self._tokens = min(BURST, self._tokens + (read_at - self._at) * STEADY_PER_S)
        self._at = read_at
        if not published:
            return SPACING_S
        self._tokens -= 1
        return max(SPACING_S, (1 - self._tokens) / STEADY_PER_S)
