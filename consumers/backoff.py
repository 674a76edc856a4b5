"""How long to wait before trying again while something is away."""

import asyncio
import random

FIRST_S, LONGEST_S = 0.05, 2.0
"""Short enough to be fresh within seconds of its return; jitter keeps processes from coming back in step."""


class Backoff:
    """Doubles its pause up to `LONGEST_S`. One per wait; start a new one after a success."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    async def pause(self) -> None:
        """Waits once, a little longer each time."""
        await asyncio.sleep(self._next_s * random.uniform(0.8, 1.2))
        self._next_s = min(2 * self._next_s, LONGEST_S)
