"""What a client has said of its streams, event by event. Judges only that each event is as the contract says."""

import json
from collections.abc import Mapping
from typing import Any

from tests.web.push.streaming.event_stream import Event, checked, state_after


class Heard:
    """One stream of one client."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.breaks = 0
        """How often it has lost the connection and meant to come back."""
        self.closed = False
        """Whether it has given up for good."""

    def take(self, said: Mapping[str, Any]) -> None:
        """One line. Raises BadStream for an event that is not as the contract says."""
        if "name" in said:
            fields = {"event": said["name"], "id": said["id"], "data": said["data"]}
            self.events.append(checked(fields))
        elif said["closed"]:
            self.closed = True
        else:
            self.breaks += 1

    def names(self) -> list[str]:
        """Of all events but heartbeats."""
        return [event.name for event in self.events if event.name != "heartbeat"]

    def shows(self) -> Mapping[str, Any]:
        """What somebody sees who follows the contract."""
        return state_after(self.events)

    def total(self) -> int | None:
        """The number it shows for all tickets, None before the first."""
        counts = self.shows().get("counts")
        return None if counts is None else int(counts["all"])


def lines_of(text: str) -> list[Mapping[str, Any]]:
    """The whole lines of what a program has printed."""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
