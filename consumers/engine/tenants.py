"""Compiled tenants: the columns and ids that a step needs to count a tenant's tickets. Only compiles and caches."""

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
"""Size of the cache in one process: thousands of usual tenants. The least recently used tenant is evicted first."""

_TENANT_BYTES, _ID_BYTES, _COLUMN_BYTES = 10_000, 200, 600
"""Memory of a compiled tenant: base, per id and per column. Roughly, as measured."""

_NOTHING_UNKNOWN: Mapping[str, str] = {}


class CompiledTenant(msgspec.Struct, frozen=True):
    """A tenant's columns and known ids, with the record version that they were compiled from."""

    name: str
    record_version: str
    generation: str
    columns: ColumnMatcher
    statuses: frozenset[str]
    priorities: frozenset[str | None]
    teams: frozenset[str | None]

    @property
    def weight(self) -> int:
        """Estimated bytes in memory."""
        ids = len(self.statuses) + len(self.priorities) + len(self.teams)
        return _TENANT_BYTES + _ID_BYTES * ids + _COLUMN_BYTES * len(self.columns.numbers)

    def unknown(self, ticket: Ticket) -> Mapping[str, str]:
        """Returns the ticket's ids that the catalogue doesn't know, by field. Such a ticket still counts in `all`."""
        if ticket.status in self.statuses and ticket.priority in self.priorities and ticket.team in self.teams:
            return _NOTHING_UNKNOWN  # the usual case
        known = (("status", self.statuses), ("priority", self.priorities), ("team", self.teams))
        return {field: getattr(ticket, field) for field, ids in known if getattr(ticket, field) not in ids}


class Tenants:
    """Compiled tenants by name. `get` reads the cache; `synchronized` and `synchronize` read records."""

    def __init__(
        self,
        synchronize: Callable[[str], Awaitable[StoredTenant | None]],
        catch_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`synchronize` returns a tenant's record in the store, at least as new as the catalogue that was read so far.

        `catch_up` reads the catalogue to its end. Without it, a tenant without a record is unknown at once.
        """
        self._synchronize = synchronize
        self._catch_up = catch_up
        self._compiled: Lru[str, CompiledTenant] = Lru(COMPILED_BYTES, lambda tenant: tenant.weight)
        self._unknown: set[str] = set()

    def get(self, name: str) -> CompiledTenant | None:
        """Returns the tenant as it was compiled last; None when it isn't in the cache."""
        return self._compiled.get(name)

    def forget_unknown(self) -> None:
        """Forgets which names are unknown: tenants may have been added since."""
        self._unknown.clear()

    async def synchronized(self, names: Iterable[str]) -> Mapping[str, CompiledTenant]:
        """Returns the tenants of these names, and synchronizes those that aren't in the cache first.

        Omits a name only when the catalogue, read to its end, doesn't have it. Raises OlderCode.
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
        """Updates the tenant's record from the catalogue and compiles it. None if unknown. Raises OlderCode."""
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
    """Compiles a record. Raises OlderCode when a release with newer semantics wrote it."""
    return at_once(compiling(name, stored))


def compiling(name: str, stored: StoredTenant) -> Steps[CompiledTenant]:
    """Like `compile_tenant`, but in steps that can yield: 2,000 filters take half a second."""
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
