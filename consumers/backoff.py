"""How long to wait before trying again: while something is away, or until somebody else is done."""

import asyncio
import random

FIRST_S, LONGEST_S = 0.05, 2.0
"""Short enough to be fresh within seconds of its return; jitter keeps processes from coming back in step."""


REDO_FIRST_S, REDO_LONGEST_S = 0.002, 0.1
"""Before something is done again that somebody else was quicker with: what is in the way takes some milliseconds, and a
crowd of tickets that are due at once some seconds."""


class Backoff:
    """Doubles its pause up to the longest. One per wait; start a new one after a success."""

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._next_s = first_s
        self._longest_s = longest_s

    async def pause(self) -> None:
        """Waits once, a little longer each time."""
        await asyncio.sleep(self._next_s * random.uniform(0.8, 1.2))
        self._next_s = min(2 * self._next_s, self._longest_s)


def before_redoing() -> Backoff:
    """For what the store refused because somebody else was quicker: it answers, and needs no rest."""
    return Backoff(REDO_FIRST_S, REDO_LONGEST_S)
