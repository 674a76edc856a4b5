"""Unknown ids: used by tickets but missing in the tenant's catalogue, kept for people to find. Decides nothing."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from service.domain.tickets.ticket import Instant

MOST_KEPT = 100
"""Unknown ids kept per tenant, the most recent ones: at most 130 KiB, and more than a person looks through."""

KEPT_S = 30 * 86_400
"""How long a tenant's unknown ids are kept after the most recent one."""


class UnknownId(NamedTuple):
    """An id that a ticket used `at` that instant (kept to the millisecond), unknown to the catalogue."""

    field: str
    """`status`, `priority` or `team`."""
    id: str
    ticket: str
    at: Instant


class UnknownIdStore(Protocol):
    """Keeps the most recent unknown ids of each tenant. Raises StoreUnavailable."""

    async def note_unknown_ids(self, tenant: str, found: Sequence[UnknownId]) -> None:
        """Keeps these ids, each with the last ticket that used it; does nothing when no such tenant exists."""

    async def unknown_ids(self, tenant: str) -> Sequence[UnknownId]:
        """Returns the tenant's unknown ids, newest first."""


def newest_first(found: Iterable[UnknownId]) -> list[UnknownId]:
    """Sorts unknown ids, newest first."""
    return sorted(found, key=lambda unknown: (-unknown.at, unknown))
