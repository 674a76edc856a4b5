"""What a command says while it works: a line now and then on stderr. Decides nothing."""

import sys
import time
from collections.abc import Callable

SAY_S = 5.0
"""Seconds between two lines of progress: often enough to see that it moves."""

Say = Callable[[str], None]


def say_on_stderr(message: str) -> None:
    """Where it doesn't mix with data."""
    print(message, file=sys.stderr, flush=True)


class ProgressReport:
    """Of one piece of work that has so many steps."""

    def __init__(self, say: Say, what: str, total: int) -> None:
        self._say = say
        self._what = what
        self.total = total
        self.done = 0
        self._began = self._said = time.monotonic()

    def add(self, steps: int) -> bool:
        """So many more are done; whether a line was said."""
        self.done += steps
        now = time.monotonic()
        if now < self._said + SAY_S:
            return False
        self._said = now
        share = 100 * self.done / max(self.total, self.done, 1)
        rate = self.done / max(now - self._began, 0.001)
        self._say(f"{self._what}: {self.done:,} of {self.total:,} ({share:.0f} %), {rate:,.0f} a second")
        return True
