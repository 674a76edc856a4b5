"""Retries one loop of the consumer: logs and reports each error, and backs off. Never retries a permanent error."""

import time

import structlog

from consumers.backoff import Backoff
from consumers.kafka_errors import cause_of, check_retry
from consumers.types import Note

log = structlog.get_logger()

LOG_AGAIN_S = 60.0
"""How often the same error is logged again: a line for each attempt would drown all others."""


class Retrying:
    """The retry state of one loop. `part` names the loop in logs and in /readyz: "events", "catalogue", …"""

    def __init__(self, part: str, note: Note | None = None) -> None:
        self._part = part
        self._note = note
        self._backoff: Backoff | None = None
        self._logged = ""
        self._logged_at = 0.0

    def report(self, error: Exception) -> None:
        """Logs and reports the error, for a loop with a pause of its own. Raises what `check_retry` raises."""
        check_retry(error)
        self._log(cause_of(error))
        if self._note is not None:
            self._note(self._part, cause_of(error))
        self._backoff = self._backoff or Backoff()

    def _log(self, cause: str) -> None:
        now = time.monotonic()
        if cause != self._logged or now > self._logged_at + LOG_AGAIN_S:
            log.warning("cannot go on now, will try again", part=self._part, error=cause)
            self._logged, self._logged_at = cause, now

    async def pause(self, error: Exception) -> None:
        """Logs and reports the error, then waits, longer each time. Raises what `check_retry` raises."""
        self.report(error)
        assert self._backoff is not None
        await self._backoff.pause()

    def succeeded(self) -> None:
        """Clears the reported error: the last attempt succeeded. Cheap when there was no error."""
        if self._backoff is not None:
            self._backoff, self._logged = None, ""
            if self._note is not None:
                self._note(self._part, "")
