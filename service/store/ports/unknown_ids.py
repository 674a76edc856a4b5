"""Ids in tickets that their tenant's catalogue doesn't know, kept for a while so that people can find them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from service.domain.tickets.ticket import Instant

MOST_KEPT = 100
"""Ids kept of one tenant, those met last: at most 130 KiB, and more than anybody would look through."""

KEPT_S = 30 * 86_400
"""How long they are kept after the last one was met."""


class UnknownId(NamedTuple):
    """An id that a ticket had `at` that instant (milliseconds count), and the catalogue hadn't."""

    field: str
    """`status`, `priority` or `team`."""
    id: str
    ticket: str
    at: Instant


class UnknownIdStore(Protocol):
    """Keeps the last few ids of each tenant. Raises StoreUnavailable."""

    async def note_unknown_ids(self, tenant: str, met: Sequence[UnknownId]) -> None:
        """Keeps these, each with the last ticket it was met in; does nothing where there is no such tenant."""

    async def unknown_ids(self, tenant: str) -> Sequence[UnknownId]:
        """What is kept of the tenant, what was met last first."""


def newest_first(met: Iterable[UnknownId]) -> list[UnknownId]:
    """What was met last first."""
    return sorted(met, key=lambda one: (-one.at, one))
