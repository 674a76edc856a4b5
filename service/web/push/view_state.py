"""What a view shows at one moment, and the frames that lead there from what a stream showed before. Pure."""

import re
from itertools import count
from typing import Any

import msgspec

from service.domain.tenants.view import CountRequest
from service.domain.tickets.instant import format_instant
from service.queries.counts import Answer
from service.web.http.snapshot_headers import is_fresh, version
from service.web.push.frames import Frame, frame
from service.web.push.view_id import view_id

IDENTITY = re.compile(r"[0-9a-f]{1,32}\.[0-9]{1,20}\.[A-Za-z0-9_-]{1,32}")
"""`<epoch>.<version>.<view>`, as far as text from outside may go back out as an id."""

_content_ids = count().__next__


class ViewState(msgspec.Struct, eq=False):
    """One moment of a view. `identity` is the id of every block sent for it."""

    identity: str
    timezone: str
    counts: dict[str, int]
    summary: dict[str, int]
    details: msgspec.Raw
    computed_at: str
    as_of: str | None
    fresh: bool
    epoch: str
    version: int
    content_id: int
    """The same number for states that show the same, whatever their versions."""
    revision: int = 0
    """How many states that show something else a view had before: what a slow reader misses is counted by it."""
    age_us: int | None = None
    """How old the newest event in it was when it was read."""
    steps: dict[int, Frame | None] = {}
    """Encoded steps to here, by the look that they start from: streams that go along share them."""

    def snapshot(self, retry_ms: int | None = None) -> Frame:
        """All of it."""
        data = {
            "counts": self.counts,
            "filterDetails": self.details,
            "summary": self.summary,
            "computedAt": self.computed_at,
            "asOf": self.as_of,
            "fresh": self.fresh,
            "timezone": self.timezone,
            "version": self.identity,
        }
        return frame("snapshot", self.identity, data, retry_ms)

    def current(self, retry_ms: int) -> Frame:
        """For a client that shows exactly this already."""
        return frame("current", self.identity, self._heartbeat(), retry_ms)

    def heartbeat(self) -> Frame:
        """That there is nothing new, and how fresh that is."""
        return frame("heartbeat", self.identity, self._heartbeat())

    def bye(self, reason: str, retry_ms: int) -> Frame:
        """The planned end."""
        return frame("bye", self.identity, {"reason": reason, "version": self.identity}, retry_ms)

    def turned_away(self, reason: str, last_event_id: str, retry_ms: int) -> Frame:
        """The end before the beginning. Its id must not name this state, which the client was not shown.

        So it is what the client came with, or for one that shows nothing version 0, which no state has.
        """
        identity = last_event_id if IDENTITY.fullmatch(last_event_id) else f"{self.epoch}.0.{self._view}"
        return frame("bye", identity, {"reason": reason, "version": identity}, retry_ms)

    def since(self, shown: "ViewState") -> Frame | None:
        """What turns `shown` into this; None when nothing that is shown differs."""
        if shown.content_id == self.content_id:
            return None
        if shown.content_id not in self.steps:
            self.steps[shown.content_id] = self._since(shown)
        return self.steps[shown.content_id]

    def _since(self, shown: "ViewState") -> Frame | None:
        if bytes(shown.details) != bytes(self.details):
            return self.snapshot()
        counts = _changed(shown.counts, self.counts)
        summary = _changed(shown.summary, self.summary)
        if counts or summary:
            data: dict[str, Any] = {
                "counts": counts,
                "summary": summary,
                "computedAt": self.computed_at,
                "asOf": self.as_of,
                "version": self.identity,
            }
            changes = frame("counts", self.identity, data)
            if shown.fresh == self.fresh:
                return changes
            return Frame(changes.event, changes.encoded + self.heartbeat().encoded)  # `counts` can't say it
        return self.heartbeat() if shown.fresh != self.fresh else None

    def _heartbeat(self) -> dict[str, Any]:
        return {"version": self.identity, "asOf": self.as_of, "fresh": self.fresh}

    def stale(self) -> "ViewState":
        """The same while the store is away: nobody knows what has changed since."""
        return msgspec.structs.replace(
            self, fresh=False, content_id=_content_ids(), revision=self.revision + 1, steps={}
        )

    @property
    def _view(self) -> str:
        return self.identity.rpartition(".")[2]


def _changed(shown: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    return {key: value for key, value in now.items() if shown.get(key) != value}


def state_of(answer: Answer, count_request: CountRequest, timezone: str, details: msgspec.Raw) -> ViewState:
    """What a view shows by this answer."""
    snapshot = answer.snapshot
    as_of = None if snapshot.as_of is None else min(snapshot.as_of, answer.now)
    return ViewState(
        identity=f"{version(snapshot)}.{view_id(count_request, answer.view.version, timezone, answer.now)}",
        timezone=timezone,
        counts=answer.counts,
        summary=answer.summary,
        details=details,
        computed_at=format_instant(answer.now),
        as_of=None if as_of is None else format_instant(as_of),
        fresh=is_fresh(snapshot),
        epoch=snapshot.epoch,
        version=snapshot.version,
        content_id=_content_ids(),
        age_us=None if as_of is None else answer.now - as_of,
    )
