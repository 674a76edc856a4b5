"""Compares the stored tickets with an export of the source system, and publishes the missing events. Never deletes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Protocol

import msgspec

from consumers.audit.export import Exported, difference, event_of, exported, mendable
from consumers.publishing.line_source import Line
from consumers.publishing.ndjson import Record
from service.domain.tickets.ticket import TicketState
from service.store.ports.catalogue import EntryReader
from service.store.ports.reading import TicketReader
from service.store.ports.steps import EventStore

PAGE = 200
"""Tickets per read of the store."""

Send = Callable[[Record], Awaitable[None]]


class AgainstTotals(msgspec.Struct):
    """The totals of a comparison."""

    tickets: int = 0
    skipped: int = 0
    """Tickets of tenants that `--tenant` leaves out."""
    different: int = 0
    """Tickets that are missing, outdated or different in the store."""
    sent: int = 0
    only_here: int = 0
    """Stored tickets that the export lacks."""

    def __str__(self) -> str:
        skipped = f" ({self.skipped:,} of other tenants left out)" if self.skipped else ""
        return (
            f"{self.tickets:,} tickets of the export{skipped}: {self.different:,} missing or different here, "
            f"{self.sent:,} of them sent; {self.only_here:,} tickets are only here"
        )


class ComparedStore(EventStore, EntryReader, TicketReader, Protocol):
    """The parts of the store that a comparison reads: tenants, single tickets, and pages of tickets."""


class Against:
    """One comparison of an export with the store. `send` publishes one missing event; with None, nothing is sent."""

    def __init__(
        self, store: ComparedStore, write: Callable[[str], None], only: str | None = None, send: Send | None = None
    ) -> None:
        self._store = store
        self._write = write
        self._only = only
        self._send = send
        self._exported: dict[str, set[str]] = {}
        self._unknown_tenants: set[str] = set()
        self.totals = AgainstTotals()

    async def run(self, lines: AsyncIterator[Line]) -> None:
        """Compares all lines and writes one line for each difference.

        Raises BadExport, StoreUnavailable, and every error of `send`.
        """
        differing: list[Exported] = []
        page: list[Exported] = []
        async for line in lines:
            if not line.text.strip():
                continue
            one = exported(line)
            if self._only not in (None, one.tenant):
                self.totals.skipped += 1
                continue
            self.totals.tickets += 1
            self._exported.setdefault(one.tenant, set()).add(one.name)
            page.append(one)
            if len(page) == PAGE:
                differing += [each for each, _, _ in await self._different(page)]
                page = []
        differing += [each for each, _, _ in await self._different(page)]
        # Compare the differing tickets again: most events that were in flight at the first look have arrived by now.
        for start in range(0, len(differing), PAGE):
            for one, ticket_state, text in await self._different(differing[start : start + PAGE]):
                await self._report(one, ticket_state, text)
        for tenant, names in sorted(self._exported.items()):
            await self._only_here(tenant, names)

    async def _different(self, page: Iterable[Exported]) -> list[tuple[Exported, TicketState | None, str]]:
        by_tenant: dict[str, list[Exported]] = {}
        for one in page:
            by_tenant.setdefault(one.tenant, []).append(one)
        found: list[tuple[Exported, TicketState | None, str]] = []
        for tenant, exports in by_tenant.items():
            stored = await self._store.tenant(tenant)
            names = list(dict.fromkeys(one.name for one in exports))
            if stored is None:
                self._unknown_tenants.add(tenant)
                found += [(one, None, "its tenant is not in the catalogue") for one in exports]
                continue
            loaded = await self._store.load(self._store.bucket(tenant), {tenant: names}, {tenant: stored.generation})
            for one in exports:
                ticket_state = loaded.tickets[tenant, one.name].ticket_state
                if text := difference(one, ticket_state):
                    found.append((one, ticket_state, text))
        return found

    async def _report(self, one: Exported, ticket_state: TicketState | None, text: str) -> None:
        self.totals.different += 1
        note = ""
        if self._send is not None and one.tenant not in self._unknown_tenants and mendable(one, ticket_state):
            key, value = event_of(one)
            await self._send(Record(is_event=True, key=key, value=value))
            self.totals.sent += 1
            note = "; sent"
        elif self._send is not None:
            note = "; not sent: the export has no data for it" if one.data is None else "; not sent"
        self._write(f"{one.tenant}: ticket {one.name}: {text}{note}")

    async def _only_here(self, tenant: str, names: set[str]) -> None:
        stored = await self._store.tenant(tenant)
        if stored is None:
            return
        seen: set[str] = set()
        cursor = 0
        while True:
            page = await self._store.ticket_states(tenant, stored.generation, cursor, PAGE)
            for name, ticket_state in page.tickets:
                if ticket_state.ticket is not None and name not in names and name not in seen:
                    seen.add(name)
                    self._write(f"{tenant}: ticket {name}: only here, at sequence {ticket_state.sequence}")
            cursor = page.cursor
            if not cursor:
                break
        self.totals.only_here += len(seen)
