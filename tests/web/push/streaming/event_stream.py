"""Server-sent events taken apart by the WHATWG's rules, and refused where a rule would have to ignore something.

The rules are those of "Interpreting an event stream" in the HTML standard; what they make of the bytes has to be all
that the bytes hold. On top of it each event must be as the contract says: one name, one id, one line of JSON.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

NAMES = frozenset(("snapshot", "counts", "current", "heartbeat", "bye"))
FIELDS = ("event", "id", "retry", "data")
IDENTITY = re.compile(r"([0-9a-f]+)\.([0-9]+)\.([A-Za-z0-9_-]+)")


class BadStream(AssertionError):
    """Some client would read these bytes otherwise than they are meant."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as a client dispatches it."""

    name: str
    id: str
    data: dict[str, Any]
    retry_ms: int | None = None

    @property
    def epoch(self) -> str:
        return self._part(1)

    @property
    def version(self) -> int:
        return int(self._part(2))

    @property
    def view(self) -> str:
        return self._part(3)

    def _part(self, index: int) -> str:
        match = IDENTITY.fullmatch(self.id)
        assert match is not None
        return match[index]


def state_after(events: Iterable[Event], shown: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """What a client shows that follows the contract, beginning with `shown`."""
    state = dict(shown or {})
    for event in events:
        if event.name == "snapshot":
            state = dict(event.data)
        elif event.name == "counts":
            state |= event.data | {name: state[name] | event.data[name] for name in ("counts", "summary")}
        elif event.name != "bye":
            state |= event.data
    return state


class Parser:
    """Takes bytes as they come, however they are cut."""

    def __init__(self) -> None:
        self._left = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are whole now. Raises BadStream."""
        *blocks, self._left = (self._left + chunk).split(b"\n\n")
        return [_event(block) for block in blocks]

    def end(self) -> None:
        """Raises BadStream when the stream broke off inside an event: a client would drop it."""
        if self._left:
            raise BadStream(f"ends inside a block: {self._left!r}")


def _event(block: bytes) -> Event:
    if b"\r" in block or b"\0" in block or block.startswith(b"\xef\xbb\xbf"):
        raise BadStream(f"a line end, a zero or a byte order mark that clients differ about: {block!r}")
    if len(block.decode().splitlines()) != block.count(b"\n") + 1:
        raise BadStream(f"what some clients take for the end of a line: {block!r}")
    fields: dict[str, str] = {}
    for line in block.decode().split("\n"):
        name, colon, value = line.partition(":")
        if not colon or name not in FIELDS or name in fields or not value.startswith(" "):
            raise BadStream(f"not one known field a line: {line!r}")
        fields[name] = value[1:]
    return checked(fields)


def checked(fields: Mapping[str, str]) -> Event:
    """The event of these fields. Raises BadStream when they are not as the contract says."""
    if not {"event", "id", "data"} <= fields.keys():
        raise BadStream(f"a field is missing: {fields}")
    if fields["event"] not in NAMES or not IDENTITY.fullmatch(fields["id"]):
        raise BadStream(f"no such event, or no such id: {fields}")
    retry = fields.get("retry")
    if retry is not None and not re.fullmatch("[0-9]+", retry):
        raise BadStream(f"a retry that would be ignored: {retry!r}")
    data = json.loads(fields["data"])
    if not isinstance(data, dict) or data.get("version") != fields["id"]:
        raise BadStream(f"data that is no object, or of another version: {fields}")
    return Event(fields["event"], fields["id"], data, None if retry is None else int(retry))
