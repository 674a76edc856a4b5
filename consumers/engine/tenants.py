"""Compiled tenants: what a step needs to know of a tenant to count its tickets. Caches; decides nothing."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from consumers.errors import OlderCode
from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.columns import SEMANTICS
from service.domain.steps import Steps, at_once
from service.domain.tenants.record import numbering
from service.domain.tickets.ticket import Ticket
from service.lru import Lru
from service.store.ports.catalogue import StoredTenant
from service.turns import in_turns

COMPILED_BYTES = 128 << 20
"""Compiled tenants that one process remembers: thousands of usual ones. A tenant without events makes room first."""

_TENANT_BYTES, _ID_BYTES, _COLUMN_BYTES = 10_000, 200, 600
"""Of a compiled tenant as such, of each id that it knows, and of each column. Measured, roughly."""

_NOTHING_UNKNOWN: Mapping[str, str] = {}


class CompiledTenant(msgspec.Struct, frozen=True):
    """A tenant's columns, and exactly which state of its record they were compiled from."""

    name: str
    record_version: str
    generation: str
    columns: ColumnMatcher
    statuses: frozenset[str]
    priorities: frozenset[str | None]
    teams: frozenset[str | None]

    @property
    def weight(self) -> int:
        """Bytes, roughly."""
        ids = len(self.statuses) + len(self.priorities) + len(self.teams)
        return _TENANT_BYTES + _ID_BYTES * ids + _COLUMN_BYTES * len(self.columns.numbers)

    def unknown(self, ticket: Ticket) -> Mapping[str, str]:
        """Ids in the ticket that the catalogue doesn't know, by field; they still count in `all`."""
        if ticket.status in self.statuses and ticket.priority in self.priorities and ticket.team in self.teams:
            return _NOTHING_UNKNOWN  # nearly always
        known = (("status", self.statuses), ("priority", self.priorities), ("team", self.teams))
        return {field: getattr(ticket, field) for field, ids in known if getattr(ticket, field) not in ids}


class Tenants:
    """Compiled tenants by name. `get` only looks; `synchronized` and `synchronize` ask for the record."""

    def __init__(
        self,
        synchronize: Callable[[str], Awaitable[StoredTenant | None]],
        catch_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`synchronize` gives a tenant's record in the store, no older than the catalogue that was read so far.

        `catch_up` reads the catalogue to its end; without it the store's records are all there are.
        """
        self._synchronize = synchronize
        self._catch_up = catch_up
        self._compiled: Lru[str, CompiledTenant] = Lru(COMPILED_BYTES, lambda tenant: tenant.weight)
        self._unknown: set[str] = set()

    def get(self, name: str) -> CompiledTenant | None:
        """The tenant as it was compiled last, if it is still in memory."""
        return self._compiled.get(name)

    def forget_unknown(self) -> None:
        """Records fetched from now on may belong to tenants that were unknown so far."""
        self._unknown.clear()

    async def synchronized(self, names: Iterable[str]) -> Mapping[str, CompiledTenant]:
        """The tenants of these names; those that aren't in memory are synchronized first.

        A name is left out only after the catalogue was read to its end and doesn't have it. Raises OlderCode.
        """
        found = {}
        for name in names:
            tenant = self.get(name)
            if tenant is None and name not in self._unknown:
                tenant = await self.synchronize(name)
            if tenant is not None:
                found[name] = tenant
        return found

    async def synchronize(self, name: str) -> CompiledTenant | None:
        """Compiles the tenant's record anew, brought up to the catalogue. Raises OlderCode."""
        stored = await self._synchronize(name)
        if stored is None and self._catch_up is not None:
            await self._catch_up()
            stored = await self._synchronize(name)
        if stored is None:
            self._compiled.drop(name)
            self._unknown.add(name)
            return None
        compiled = await in_turns(compiling(name, stored))
        self._compiled.put(name, compiled)
        return compiled


def compile_tenant(name: str, stored: StoredTenant) -> CompiledTenant:
    """Compiles a record. Raises OlderCode when it was made by newer semantics than this code's."""
    return at_once(compiling(name, stored))


def compiling(name: str, stored: StoredTenant) -> Steps[CompiledTenant]:
    """The same step by step: for 2,000 filters it takes half a second."""
    if stored.record.semantics > SEMANTICS:
        raise OlderCode(
            f"tenant {name} is counted by semantics {stored.record.semantics}; this release has {SEMANTICS}"
        )
    settings = stored.record.newest.settings
    columns = yield from ColumnMatcher.building((yield from numbering(stored.record)))
    return CompiledTenant(
        name,
        stored.record_version,
        stored.generation,
        columns,
        frozenset(status.id for status in settings.statuses),
        frozenset((None, *(priority.id for priority in settings.priorities))),
        frozenset((None, *(team.id for team in settings.teams))),
    )
