"""One part's way through errors that pass: says them, counts them as trouble, waits. Stops at what no retry cures."""

from collections.abc import Callable

import structlog

from consumers.backoff import Backoff
from consumers.errors import cause_of, check_retry

log = structlog.get_logger()

Note = Callable[[str, str], None]
"""Takes a part and the cause of its trouble; "" once it is well."""


class Retrying:
    """One for each loop. `part` is what people call it: "events", "catalogue", …"""

    def __init__(self, part: str, note: Note | None = None) -> None:
        self._part = part
        self._note = note
        self._backoff: Backoff | None = None

    def heed(self, error: Exception) -> None:
        """Says the error and notes the trouble; the loop has its own pause. Raises what `check_retry` raises."""
        check_retry(error)
        log.warning("cannot go on now, will try again", part=self._part, error=cause_of(error))
        if self._note is not None:
            self._note(self._part, cause_of(error))
        self._backoff = self._backoff or Backoff()

    async def pause(self, error: Exception) -> None:
        """Heeds the error, then waits, a little longer each time."""
        self.heed(error)
        assert self._backoff is not None
        await self._backoff.pause()

    def well(self) -> None:
        """It works again. Costs nothing where it always did."""
        if self._backoff is not None:
            self._backoff = None
            if self._note is not None:
                self._note(self._part, "")
