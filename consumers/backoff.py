"""Exponential back-off with jitter. Never decides whether to retry."""

import asyncio
import random

FIRST_S, LONGEST_S = 0.05, 2.0
"""Pauses while a server is away: short enough that counts are fresh within seconds of its return."""


REDO_FIRST_S, REDO_LONGEST_S = 0.002, 0.1
"""Pauses after a compare-and-set was refused: another writer's batch takes some milliseconds, and many tickets that are
due at once take some seconds."""


class Backoff:
    """Doubles its pause up to the longest, with 20 % jitter so that processes don't retry in step.

    Make a new one after each success.
    """

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._next_s = first_s
        self._longest_s = longest_s

    async def pause(self) -> None:
        """Waits once, longer each time."""
        await asyncio.sleep(self._next_s * random.uniform(0.8, 1.2))
        self._next_s = min(2 * self._next_s, self._longest_s)


def before_redoing() -> Backoff:
    """Returns the back-off with short pauses, for a write that the store refused because another writer was first."""
    return Backoff(REDO_FIRST_S, REDO_LONGEST_S)
