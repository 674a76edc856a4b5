"""What every counter store promises: the Redis one and its in-memory twin. Holds types only, does nothing.

A *bucket* is a fixed share of the tenants; all of a bucket is read and written in one atomic step. A *token*
names exactly one state of a tenant's catalogue record, so "compiled against" is one comparison. A *revision* names
exactly one write of one ticket; b"" is the revision of a ticket that was never written.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from service.domain.catalogue.catalogue import Credential, Realm
from service.domain.counting.contributions import Deltas, TimeBuckets
from service.domain.counting.local_days import LocalDay
from service.domain.counting.plan import Plan, Share
from service.domain.counting.windows import Span
from service.domain.tenants.record import ColumnDemand, TenantRecord
from service.domain.tickets.ticket import Instant, TicketState
from service.store.ports.budgets import BudgetStore
from service.store.ports.unknown_ids import UnknownIdStore

Bucket = int
Position = int
"""Everything of a partition below this offset is applied."""


class StoreUnavailable(Exception):
    """Nothing is known to have been written: keep the position, try again."""


class StoreUnable(StoreUnavailable):
    """The store answers, and takes nothing now: it is full, or can't keep what it is given. Nothing was written."""


class StoreDenied(StoreUnavailable):
    """The store refuses this client's password or rights: no retry cures it. Nothing was written."""


class StoreRefused(Exception):
    """The store can't be used as it is (layout, version, settings): an operator has to act first."""


class StoredTenant(msgspec.Struct, frozen=True):
    """A tenant's record with the token of exactly this state, and the generation its tickets and counters live in."""

    record_version: str
    generation: str
    record: TenantRecord


class StoredTicket(msgspec.Struct, frozen=True, gc=False):
    """A ticket as read: what to name in the write that replaces it."""

    revision: bytes
    ticket_state: TicketState | None


class BucketState(msgspec.Struct, frozen=True):
    """How far a bucket is: positions by partition, and the events topic they belong to ("" before the first).

    `timers` is the instant through which every change that only time makes is applied; it never goes back.
    """

    topic: str
    positions: Mapping[int, Position]
    timers: Instant | None = None


class Loaded(msgspec.Struct, frozen=True):
    """One atomic read of a bucket: its state, the current token of each tenant asked for, and the tickets.

    `next_due` is when the first of the bucket's tickets changes by itself.
    """

    state: BucketState
    record_versions: Mapping[str, str]
    tickets: Mapping[tuple[str, str], StoredTicket]
    next_due: Instant | None = None


class DueTicket(NamedTuple):
    """A ticket whose contributions change by themselves at `due_at`, in the generation where it was written."""

    tenant: str
    generation: str
    ticket: str
    due_at: Instant


class TicketWrite(msgspec.Struct, frozen=True, gc=False):
    """Replace the ticket that had `revision`; `ticket_state` None forgets it altogether.

    `due_before` is when the replaced one was due: where nothing is known of that, `UNKNOWN_DUE`.
    """

    ticket: str
    revision: bytes
    ticket_state: TicketState | None
    due_before: Instant | None = None

    @property
    def due_at(self) -> Instant | None:
        """When it is due from now on."""
        return None if self.ticket_state is None else self.ticket_state.due_at


NEVER_WRITTEN = b""
"""The revision of a ticket that there isn't."""

UNKNOWN_DUE: Instant = -1
"""No ticket is due then."""


class TenantBatch(msgspec.Struct, frozen=True):
    """What one call does to one tenant, and what it was compiled against."""

    tenant: str
    record_version: str
    generation: str
    writes: Sequence[TicketWrite]
    deltas: Deltas
    as_of: Instant | None = None
    """The newest event time among the changes, never beyond now."""
    time_buckets: TimeBuckets = {}


class PartitionProgress(msgspec.Struct, frozen=True):
    """How far one partition is after this call.

    `known` is the last position that this consumer wrote or read in this bucket (None: it saw none): a stored one
    below it means that the store lost acknowledged writes. `lag_ms` is the most that the oldest record that is not
    applied then can be old, by the clock of whoever measured it; None where nothing is known of that.
    """

    known: Position | None
    position: Position
    lag_ms: int | None


class Batch(msgspec.Struct, frozen=True):
    """One atomic step of one bucket: either all of it happens, or nothing.

    `now` is the instant that the writes were worked out for. What they leave is the bucket's state at its timers, so no
    other ticket may be due by then: then the timers are raised to it. Only where too many are due at one instant to be
    written at once, the batch is `partial_due_batch`: the timers stay until the last of them is written.
    """

    bucket: Bucket
    topic: str
    progress: Mapping[int, PartitionProgress]
    tenants: Sequence[TenantBatch] = ()
    now: Instant = 0
    partial_due_batch: bool = False


class Applied(msgspec.Struct, frozen=True):
    """It is written. `versions` has the new version of each tenant whose counts changed."""

    versions: Mapping[str, int]
    negative: int = 0
    """Cells that came out below zero: proof of drift, to be reported loudly."""


class StaleCatalogue(msgspec.Struct, frozen=True):
    """Nothing is written: these tenants' records have changed. Reload them, redo."""

    tenants: tuple[str, ...]


class Conflict(msgspec.Struct, frozen=True):
    """Nothing is written: these (tenant, ticket) have changed since they were read. Read again, redo."""

    tickets: tuple[tuple[str, str], ...]


class Behind(msgspec.Struct, frozen=True):
    """Nothing is written: the store is at older positions than it acknowledged. Rewind to these, with a new epoch."""

    positions: Mapping[int, Position]


class DueConflict(msgspec.Struct, frozen=True):
    """Nothing is written: the state at `now` is not what this would leave. Read again, redo.

    Either the timers have gone beyond a change of a ticket written here, or another ticket has become due by `now`.
    """


class OtherTopic(msgspec.Struct, frozen=True):
    """Nothing is written: the bucket's positions belong to another events topic of that name."""

    topic: str


Outcome = Applied | StaleCatalogue | Conflict | Behind | DueConflict | OtherTopic


class Window(msgspec.Struct, frozen=True):
    """A sum of counts kept by time: of a column, over spans of quarters, in scopes that have no ticket in common."""

    column: int
    spans: tuple[Span, ...]
    scopes: tuple[Share, ...]
    """Each with its counter by its index among `timed_counters`."""


class CountQuery(msgspec.Struct, frozen=True):
    """What one answer needs: columns of the counter of all tickets, and whole counters of persons and teams."""

    tenant: str
    record_version: str
    generation: str
    columns: tuple[int, ...]
    counters: tuple[str, ...]
    asked: int
    """Which columns of `counters` are needed, as a mask."""
    timed_counters: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()


def query_for(tenant: str, record_version: str, generation: str, plan: Plan, day: LocalDay) -> CountQuery:
    """The query that reads what the plan needs on that day."""
    windows = tuple(Window(read.column, read.region.spans(day), read.scopes) for read in plan.timed)
    return CountQuery(
        tenant, record_version, generation, plan.columns, plan.counters, plan.asked, plan.timed_counters, windows
    )


class Snapshot(msgspec.Struct, frozen=True):
    """One atomic read of one tenant's counts, and what they equal.

    `epoch` differs whenever `version` may have gone back. `lags_ms` says per partition for how long its consumer has
    been silent or its oldest record unapplied. `timers` is the instant through which deadlines are applied.
    """

    epoch: str
    version: int
    positions: Mapping[int, Position]
    lags_ms: Mapping[int, int]
    timers: Instant | None
    as_of: Instant | None
    columns: tuple[int, ...]
    counters: tuple[Mapping[str, Mapping[int, int]], ...]
    """Per asked counter: part -> column number -> count, of `asked` columns at least; what is absent counts 0."""
    timed: tuple[int, ...] = ()
    """Per window its sum."""


class TicketPage(msgspec.Struct, frozen=True):
    """Some tickets of a tenant by id, deleted ones too, unpacked one by one as they are gone through.

    `cursor` is where to go on, 0 at the end; it is good only in the same `run` of the store.
    """

    run: str
    cursor: int
    tickets: Iterable[tuple[str, TicketState]]
    size_bytes: int = 0
    """Of the tickets as they are stored."""


class Runs(msgspec.Struct, frozen=True):
    """The run of the store that each bucket is in, and that the catalogue is in; where it is one server, one run.

    "" for what doesn't answer, in a store of several servers of which others do.
    """

    buckets: tuple[str, ...]
    catalogue: str


class CounterReader(BudgetStore, Protocol):
    """What the service reads. Raises StoreUnavailable when the store can't be reached in time."""

    async def realm(self, name: str) -> Realm | None:
        """The realm in force under this name."""

    async def credential(self, identifier: str) -> Credential | None:
        """The credential of the form API in force under this identifier."""

    async def credentials_of(self, username: str) -> Sequence[Credential]:
        """Every credential in force whose admin has this name, in no order."""

    async def tenant(self, tenant: str) -> StoredTenant | None:
        """The tenant's record; None when no such tenant is in force."""

    async def snapshot(self, query: CountQuery) -> Snapshot | None:
        """The counts, or None when the token is no longer the current one: reload the tenant, ask again."""

    async def note_demands(self, tenant: str, demands: Iterable[ColumnDemand], now: Instant, *, missing: bool) -> None:
        """Notes what was asked for that has columns only for that; `missing`: there are none for some of it."""

    async def demands(self, tenant: str) -> Mapping[ColumnDemand, Instant]:
        """When each was last asked for."""

    async def ticket_count(self, tenant: str, generation: str) -> int:
        """How many tickets are stored, deleted ones included."""

    async def ticket_states(self, tenant: str, generation: str, cursor: int, limit: int) -> TicketPage:
        """About `limit` tickets from the cursor on, 0 at first. A whole scan has each ticket that was there all along
        at least once; some may come again."""

    async def catalogue_read(self) -> bool:
        """Whether this store has had the whole catalogue at least once, be it empty.

        While it hasn't, a realm or credential that isn't found may exist all the same.
        """

    async def tenants_read(self, tenant: str) -> bool:
        """The same of all tenants in this one's bucket: of a cluster one server may come back empty."""

    async def ping(self) -> None:
        """Returns when the store answers."""


class CounterStore(CounterReader, UnknownIdStore, Protocol):
    """What the consumers write. Writes are never retried by the client: an in-doubt call is read again instead."""

    async def load(
        self, bucket: Bucket, tickets: Mapping[str, Sequence[str]], generations: Mapping[str, str]
    ) -> Loaded:
        """One atomic read of a bucket: tenant -> ticket ids, in the generations the caller knows."""

    async def apply(self, batch: Batch) -> Outcome:
        """Validates everything, then writes everything, then hints."""

    async def due(self, bucket: Bucket, now: Instant, limit: int) -> Sequence[DueTicket]:
        """Tickets due at `now`, those due first first, at most `limit`. With none the timers are raised to `now`."""

    async def forget_due(self, bucket: Bucket, tickets: Sequence[DueTicket]) -> None:
        """These are due no more: their generation is gone."""

    async def states(self, buckets: Sequence[Bucket]) -> Mapping[Bucket, BucketState]:
        """The positions of many buckets."""

    async def tenants(self, bucket: Bucket) -> Sequence[str]:
        """The tenants in force in a bucket."""

    def bucket(self, tenant: str) -> Bucket:
        """The bucket a tenant lives in."""

    def server(self, bucket: Bucket) -> str:
        """Names the server that has the bucket, as far as is known: what it has fails together. Asks nobody."""

    async def new_epoch(self, bucket: Bucket) -> None:
        """Mints a new epoch: versions of the bucket's tenants may have gone back."""

    async def adopt_topic(self, bucket: Bucket, topic: str) -> None:
        """Forgets the bucket's positions and takes `topic` as their topic from now on: the operator said so."""

    async def put_tenant(self, tenant: str, expected: str | None, new: StoredTenant) -> bool:
        """Replaces the record whose token is `expected` (None: there is none); False when it isn't any more."""

    async def drop_tenant(self, tenant: str, expected: str) -> bool:
        """Removes the record whose token is `expected`, and orphans its tickets; False when it isn't any more."""

    async def orphans(self) -> Sequence[tuple[str, str]]:
        """(tenant, generation) that were dropped and whose tickets and counters are not all removed yet."""

    async def collect(self, tenant: str, generation: str, limit: int) -> bool:
        """Removes about `limit` tickets of an orphan and the counters they were in; True when there are none left."""

    async def collect_counters(self, orphans: Collection[tuple[str, str]], cursor: int, limit: int) -> int:
        """Removes the counters of these that are among about `limit` keys from the cursor on, 0 at first.

        The next cursor, 0 at the end; it is good only in the same run of the store. A whole walk removes each counter
        that was there all along.
        """

    async def forget_orphans(self, orphans: Collection[tuple[str, str]]) -> None:
        """Nothing is left of these."""

    async def tenants_with_demands(self) -> Sequence[str]:
        """Tenants of whom something was asked for that has no columns."""

    async def settle_demands(self, tenant: str) -> None:
        """What is asked of the tenant was looked at."""

    async def forget_demands(self, tenant: str, demands: Sequence[ColumnDemand]) -> None:
        """These are asked for no more."""

    async def backfill_progress(self, tenant: str) -> str:
        """How far the tenant's sweep is, as whoever did it has noted; "" for nothing."""

    async def set_backfill_progress(self, tenant: str, mark: str) -> None:
        """Notes how far the tenant's sweep is; "" when it is done."""

    async def put_realm(self, name: str, offset: int, realm: Realm | None) -> bool:
        """Takes a realm (None: its removal). False where this one, or a newer one, is stored already."""

    async def put_credential(self, identifier: str, offset: int, credential: Credential | None) -> None:
        """Takes a credential (None: its removal) unless a newer one is stored."""

    async def catalogue_topic(self) -> str:
        """The id of the catalogue topic that all versions are offsets in; "" before the first."""

    async def set_catalogue_topic(self, topic: str) -> None:
        """From now on they are offsets in this one."""

    async def forget_catalogue_offsets(self) -> None:
        """Whatever comes of realms and credentials is newer than what is stored; nothing was judged yet."""

    async def validated_offset(self) -> Position:
        """Catalogue records below this offset were judged before: bad ones among them are dead letters already."""

    async def set_validated_offset(self, position: Position) -> None:
        """Raises `validated_offset` to the offset up to which the catalogue was read to its end."""

    async def set_tenants_read(self) -> None:
        """Notes in every bucket that all of its tenants are stored, and the layout where a store came back empty."""

    async def scan(self, tenant: str, generation: str, cursor: int, limit: int) -> tuple[int, Sequence[str]]:
        """Some ticket ids of a tenant and the next cursor, 0 at the end. About `limit` at a time."""

    async def lease(self, bucket: Bucket, holder: str, ttl_ms: int) -> bool:
        """Takes or renews the bucket's lease; False while somebody else holds it."""

    async def give_back(self, bucket: Bucket, holder: str) -> None:
        """Ends the bucket's lease, if it is this holder's."""

    async def run(self) -> str:
        """Names the run of the store: another name means that it restarted, failed over, went back, or was spread
        otherwise, any part of it."""

    async def runs(self) -> Runs:
        """The same part by part: another name means that this one restarted, failed over, went back or moved."""
