"""What a stream may know of the connection below it: an ASGI extension of our own server. Sends nothing itself.

Without it, on another server or in a test, streams work all the same; each frame then costs a task.
"""

from typing import Protocol

from starlette.types import Scope

EXTENSION = "ticket_counts.link"


class Link(Protocol):
    """The connection of one stream."""

    @property
    def is_full(self) -> bool:
        """Whether something is still to be taken by the kernel: to send now would wait for it."""

    async def writable(self) -> None:
        """Returns when it is not full any more, or the client is gone."""

    def hold_nothing(self) -> None:
        """From now on it is full as soon as the kernel doesn't take everything at once."""


def link_of(scope: Scope) -> Link | None:
    """The link of the request with this scope, where the server offers one."""
    link: Link | None = (scope.get("extensions") or {}).get(EXTENSION)
    return link
