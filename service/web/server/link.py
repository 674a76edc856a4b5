"""What a stream sees of its connection: an ASGI extension of our server. Sends nothing itself.

Without it, on another server or in a test, streams work all the same; each frame then costs a task.
"""

from typing import Protocol

from starlette.types import Scope

EXTENSION = "ticket_counts.link"


class Link(Protocol):
    """The connection of one stream."""

    @property
    def is_full(self) -> bool:
        """Whether unsent bytes are left in the process: another send would wait for them."""

    async def writable(self) -> None:
        """Returns when the connection is no longer full, or the client is gone."""

    def hold_nothing(self) -> None:
        """From now on the connection is full as soon as the kernel doesn't take everything at once."""


def link_of(scope: Scope) -> Link | None:
    """Returns the link of the request with this scope; None on another server."""
    link: Link | None = (scope.get("extensions") or {}).get(EXTENSION)
    return link
