"""What the service reads to answer: snapshots of counts, pages of tickets, column demands. Holds types only."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from service.domain.counting.local_days import LocalDay
from service.domain.counting.plan import Plan, ScopeRef
from service.domain.counting.windows import Span
from service.domain.tenants.tenant_entries import ColumnDemand
from service.domain.tickets.ticket import Instant, TicketState
from service.store.ports.budgets import BudgetStore
from service.store.ports.catalogue import EntryReader, Position


class Window(msgspec.Struct, frozen=True):
    """A sum of counts kept by time: one column, over spans of quarter hours, in scopes that share no ticket."""

    column: int
    spans: tuple[Span, ...]
    scopes: tuple[ScopeRef, ...]
    """Each names its counter by the index in `timed_counters`."""


class CountQuery(msgspec.Struct, frozen=True):
    """What one answer needs: columns of the counter of all tickets, and whole counters of persons and teams."""

    tenant: str
    record_version: str
    generation: str
    columns: tuple[int, ...]
    counters: tuple[str, ...]
    columns_mask: int
    """The columns of `counters` that the answer needs, as a mask."""
    timed_counters: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()


def query_for(tenant: str, record_version: str, generation: str, plan: Plan, day: LocalDay) -> CountQuery:
    """Returns the query that reads what the plan needs on that day."""
    windows = tuple(Window(read.column, read.region.spans(day), read.scopes) for read in plan.timed)
    return CountQuery(
        tenant, record_version, generation, plan.columns, plan.counters, plan.columns_mask, plan.timed_counters, windows
    )


class Snapshot(msgspec.Struct, frozen=True):
    """One atomic read of one tenant's counts, with the version and positions that they belong to.

    `epoch` is another one whenever `version` may have gone back. `lags_ms` tells per partition how long its consumer
    has been silent or its oldest record unapplied. `timers` is the instant through which due tickets are applied.
    """

    epoch: str
    version: int
    positions: Mapping[int, Position]
    lags_ms: Mapping[int, int]
    timers: Instant | None
    as_of: Instant | None
    columns: tuple[int, ...]
    counters: tuple[Mapping[str, Mapping[int, int]], ...]
    """Per requested counter: part -> column number -> count, at least for columns in `columns_mask`; 0 if absent."""
    timed: tuple[int, ...] = ()
    """The sum of each window."""


class TicketPage(msgspec.Struct, frozen=True):
    """Some tickets of a tenant by id, deleted ones included, unpacked one by one during iteration.

    `cursor` continues the scan, 0 at the end; it is valid only in the same `run` of the store.
    """

    run: str
    cursor: int
    tickets: Iterable[tuple[str, TicketState]]
    size_bytes: int = 0
    """The stored size of the tickets."""


class SnapshotReader(Protocol):
    """Reads counts. Raises StoreUnavailable."""

    async def snapshot(self, query: CountQuery) -> Snapshot | None:
        """Returns the counts; None when the record version is no longer current: reload the tenant, ask again."""


class TicketReader(Protocol):
    """Reads stored tickets. Raises StoreUnavailable."""

    async def ticket_count(self, tenant: str, generation: str) -> int:
        """Returns the number of stored tickets, deleted ones included."""

    async def ticket_states(self, tenant: str, generation: str, cursor: int, limit: int) -> TicketPage:
        """Returns about `limit` tickets from the cursor on, 0 at first. A whole scan returns each ticket that exists
        from start to end at least once; some may come twice."""


class DemandNotes(Protocol):
    """Keeps column demands: when viewers last requested what has columns only on demand. Raises StoreUnavailable."""

    async def note_demands(self, tenant: str, demands: Iterable[ColumnDemand], now: Instant, *, missing: bool) -> None:
        """Notes that viewers requested these at `now`; `missing`: some of them have no columns yet."""

    async def demands(self, tenant: str) -> Mapping[ColumnDemand, Instant]:
        """Returns when each demand was last requested."""


class CounterReader(EntryReader, SnapshotReader, TicketReader, DemandNotes, BudgetStore, Protocol):
    """Everything that the service reads. Name a narrower port in a signature where one is enough."""

    async def ping(self) -> None:
        """Returns when the store answers. Raises StoreUnavailable."""
