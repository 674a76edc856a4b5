"""One part's way through errors that pass: says them, counts them as trouble, waits. Stops at what no retry cures."""

import time

import structlog

from consumers.backoff import Backoff
from consumers.kafka_errors import cause_of, check_retry
from consumers.types import Note

log = structlog.get_logger()

SAY_AGAIN_S = 60.0
"""The same cause is said again after so long: each try of each second would drown everything else."""


class Retrying:
    """One for each loop. `part` is what people call it: "events", "catalogue", …"""

    def __init__(self, part: str, note: Note | None = None) -> None:
        self._part = part
        self._note = note
        self._backoff: Backoff | None = None
        self._said = ""
        self._said_at = 0.0

    def heed(self, error: Exception) -> None:
        """Says the error and notes the trouble; the loop has its own pause. Raises what `check_retry` raises."""
        check_retry(error)
        self._say(cause_of(error))
        if self._note is not None:
            self._note(self._part, cause_of(error))
        self._backoff = self._backoff or Backoff()

    def _say(self, cause: str) -> None:
        now = time.monotonic()
        if cause != self._said or now > self._said_at + SAY_AGAIN_S:
            log.warning("cannot go on now, will try again", part=self._part, error=cause)
            self._said, self._said_at = cause, now

    async def pause(self, error: Exception) -> None:
        """Heeds the error, then waits, a little longer each time."""
        self.heed(error)
        assert self._backoff is not None
        await self._backoff.pause()

    def well(self) -> None:
        """It works again. Costs nothing where it always did."""
        if self._backoff is not None:
            self._backoff, self._said = None, ""
            if self._note is not None:
                self._note(self._part, "")
