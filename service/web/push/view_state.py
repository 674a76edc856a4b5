"""The state of a view at one moment, and the frames from a stream's earlier state to it. Pure."""

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
"""`<epoch>.<version>.<view>`: only a client's id of this form is echoed."""

_content_ids = count().__next__


class ViewState(msgspec.Struct, eq=False):
    """A view at one moment. `identity` is the id of every event that is sent for it."""

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
    """States of a view with the same visible content have the same number, whatever their versions."""
    revision: int = 0
    """The number of content changes of the view before this state. A slow stream's skipped states are counted by it."""
    age_us: int | None = None
    """Age of the newest event when the state was read, in microseconds."""
    changes: dict[int, Frame | None] = {}
    """Encoded changes to this state, by the content id they start from: streams share them."""

    def snapshot(self, retry_ms: int | None = None) -> Frame:
        """Returns the frame with the whole state."""
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
        """Returns the first frame for a client that shows exactly this state already."""
        return frame("current", self.identity, self._heartbeat(), retry_ms)

    def heartbeat(self) -> Frame:
        """Returns the frame that confirms the shown counts and tells their freshness."""
        return frame("heartbeat", self.identity, self._heartbeat())

    def bye(self, reason: str, retry_ms: int) -> Frame:
        """Returns the last frame of a stream."""
        return frame("bye", self.identity, {"reason": reason, "version": self.identity}, retry_ms)

    def turned_away(self, reason: str, last_event_id: str, retry_ms: int) -> Frame:
        """Returns the only frame of a refused stream.

        Its id must not name this state, which the client doesn't show. So it is the client's last event id, or for a
        client without one version 0, which no state has.
        """
        identity = last_event_id if IDENTITY.fullmatch(last_event_id) else f"{self.epoch}.0.{self._view}"
        return frame("bye", identity, {"reason": reason, "version": identity}, retry_ms)

    def since(self, shown: "ViewState") -> Frame | None:
        """Returns the frame that turns `shown` into this state; None when their visible content is the same."""
        if shown.content_id == self.content_id:
            return None
        if shown.content_id not in self.changes:
            self.changes[shown.content_id] = self._since(shown)
        return self.changes[shown.content_id]

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
            return Frame(changes.event, changes.encoded + self.heartbeat().encoded)  # `counts` has no `fresh`
        return self.heartbeat() if shown.fresh != self.fresh else None

    def _heartbeat(self) -> dict[str, Any]:
        return {"version": self.identity, "asOf": self.as_of, "fresh": self.fresh}

    def stale(self) -> "ViewState":
        """Returns the same counts marked as not fresh, for when the view can't be read."""
        return msgspec.structs.replace(
            self, fresh=False, content_id=_content_ids(), revision=self.revision + 1, changes={}
        )

    @property
    def _view(self) -> str:
        return self.identity.rpartition(".")[2]


def _changed(shown: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    return {key: value for key, value in now.items() if shown.get(key) != value}


def state_of(answer: Answer, count_request: CountRequest, timezone: str, details: msgspec.Raw) -> ViewState:
    """Returns the state of a view from an answer of the count queries."""
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
