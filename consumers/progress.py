"""Progress of a command: a line on stderr every few seconds. Never changes what the command does."""

import sys
import time
from collections.abc import Callable

SAY_S = 5.0
"""Seconds between two lines of progress: often enough to see that the command isn't stuck."""

Say = Callable[[str], None]


def say_on_stderr(message: str) -> None:
    """Prints a message on stderr, since stdout may carry data."""
    print(message, file=sys.stderr, flush=True)


class ProgressReport:
    """Progress of a job with `total` steps, in percent and steps a second."""

    def __init__(self, say: Say, what: str, total: int) -> None:
        self._say = say
        self._what = what
        self.total = total
        self.done = 0
        self._began = self._said = time.monotonic()

    def add(self, steps: int) -> bool:
        """Counts finished steps; returns whether it printed a line."""
        self.done += steps
        now = time.monotonic()
        if now < self._said + SAY_S:
            return False
        self._said = now
        share = 100 * self.done / max(self.total, self.done, 1)
        rate = self.done / max(now - self._began, 0.001)
        self._say(f"{self._what}: {self.done:,} of {self.total:,} ({share:.0f} %), {rate:,.0f} a second")
        return True
