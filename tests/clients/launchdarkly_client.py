"""launchdarkly-eventsource, told by a line of JSON on stdin what to open; says as JSON lines what happens.

It comes back by itself, by a delay that doubles and by what `retry` says; a refusal is for its user to end at.
"""

import json
import sys
import threading
from typing import Any

from ld_eventsource import SSEClient
from ld_eventsource.actions import Event, Fault
from ld_eventsource.config import ConnectStrategy, ErrorStrategy
from ld_eventsource.errors import HTTPStatusError

LOCK = threading.Lock()


def say(stream: str, **what: object) -> None:
    """One line."""
    with LOCK:
        print(json.dumps({"stream": stream, **what}), flush=True)


def follow(stream: str, url: str, headers: dict[str, str]) -> None:
    """Until the server refuses."""
    client = SSEClient(
        ConnectStrategy.http(url, headers=headers),
        initial_retry_delay=1,
        error_strategy=ErrorStrategy.always_continue(),
    )
    for action in client.all:
        if isinstance(action, Event):
            say(stream, name=action.event, id=action.id, data=action.data)
        elif isinstance(action, Fault):
            refused = isinstance(action.error, HTTPStatusError)
            say(stream, closed=refused)
            if refused:
                break
    client.close()


def main() -> None:
    """A thread for each stream of the line."""
    asked: list[dict[str, Any]] = json.loads(sys.stdin.readline())
    threads = [threading.Thread(target=follow, kwargs=one) for one in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
