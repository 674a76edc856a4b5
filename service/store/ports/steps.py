"""How consumers apply events and timers: one atomic step of one bucket at a time. Holds types only.

A *record version* names exactly one state of a tenant's catalogue record, so one comparison tells whether a batch was
computed with the current record. A *revision* names exactly one write of one ticket; b"" is the revision of a ticket
that was never written.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from service.domain.counting.contributions import Deltas, TimeBuckets
from service.domain.tickets.ticket import Instant, TicketState
from service.store.ports.catalogue import Bucket, CatalogueStore, Position


class StoredTicket(msgspec.Struct, frozen=True, gc=False):
    """A ticket as read, with the revision that the write which replaces it must name."""

    revision: bytes
    ticket_state: TicketState | None


class BucketState(msgspec.Struct, frozen=True):
    """How far a bucket is: positions by partition, and the events topic that they belong to ("" before the first).

    `timers` is the instant through which every change by time alone is applied; it never goes back.
    """

    topic: str
    positions: Mapping[int, Position]
    timers: Instant | None = None


class Loaded(msgspec.Struct, frozen=True):
    """One atomic read of a bucket: its state, the current record version of each requested tenant, and the tickets.

    `next_due` is the earliest due time in the bucket.
    """

    state: BucketState
    record_versions: Mapping[str, str]
    tickets: Mapping[tuple[str, str], StoredTicket]
    next_due: Instant | None = None


class DueTicket(NamedTuple):
    """A ticket whose contributions change by time alone at `due_at`, in the generation in which it was written."""

    tenant: str
    generation: str
    ticket: str
    due_at: Instant


class TicketWrite(msgspec.Struct, frozen=True, gc=False):
    """Replaces the ticket that has `revision`; `ticket_state` None removes it.

    `due_before` is the due time of the replaced ticket: `UNKNOWN_DUE` when the caller doesn't know it.
    """

    ticket: str
    revision: bytes
    ticket_state: TicketState | None
    due_before: Instant | None = None

    @property
    def due_at(self) -> Instant | None:
        """The due time of the new ticket state."""
        return None if self.ticket_state is None else self.ticket_state.next_change_at


NEVER_WRITTEN = b""
"""The revision of a ticket that doesn't exist."""

UNKNOWN_DUE: Instant = -1
"""No ticket has this due time."""


class TenantBatch(msgspec.Struct, frozen=True):
    """What one call changes in one tenant, and the record version and generation that it was computed with."""

    tenant: str
    record_version: str
    generation: str
    writes: Sequence[TicketWrite]
    deltas: Deltas
    as_of: Instant | None = None
    """The newest event time among the changes, never later than now."""
    time_buckets: TimeBuckets = {}


class PartitionProgress(msgspec.Struct, frozen=True):
    """How far one partition is after this call.

    `known` is the last position that this consumer wrote or read in this bucket (None: none yet): a stored position
    below it means that the store lost acknowledged writes. `lag_ms` is an upper bound of the age of the oldest record
    that isn't applied by then; None when the age is unknown.
    """

    known: Position | None
    position: Position
    lag_ms: int | None


class Batch(msgspec.Struct, frozen=True):
    """One atomic step of one bucket: the store writes all of it, or nothing.

    The writes were computed for the instant `now`, and the step raises the bucket's timers to it. So no ticket outside
    the batch may be due by `now`. Example: the batch was computed for 10:00 and writes ticket 1, but ticket 2 was due
    at 9:59: the step is refused (`DueConflict`), because with timers at 10:00 ticket 2 would be counted wrong.

    Only when more tickets are due at one instant than fit in one step, the batch is a `partial_due_batch`: the timers
    stay where they are until the last of those tickets is written.
    """

    bucket: Bucket
    topic: str
    progress: Mapping[int, PartitionProgress]
    tenants: Sequence[TenantBatch] = ()
    now: Instant = 0
    partial_due_batch: bool = False


class Applied(msgspec.Struct, frozen=True):
    """The batch is written. `versions` has the new version of each tenant whose counts changed."""

    versions: Mapping[str, int]
    negative: int = 0
    """Cells that fell below zero: proof of drift, to be reported loudly."""


class StaleCatalogue(msgspec.Struct, frozen=True):
    """Nothing is written: the records of these tenants have changed. Reload them, compute the batch again."""

    tenants: tuple[str, ...]


class Conflict(msgspec.Struct, frozen=True):
    """Nothing is written: these (tenant, ticket) changed after they were read. Read again, compute again."""

    tickets: tuple[tuple[str, str], ...]


class Behind(msgspec.Struct, frozen=True):
    """Nothing is written: the store is at older positions than it acknowledged. Rewind to these, with a new epoch."""

    positions: Mapping[int, Position]


class DueConflict(msgspec.Struct, frozen=True):
    """Nothing is written: the batch would leave a wrong state at `now`. Read again, compute again.

    Either the timers have passed the due time of a ticket in the batch, or another ticket has become due by `now`.
    """


class OtherTopic(msgspec.Struct, frozen=True):
    """Nothing is written: the bucket's positions belong to another events topic of the same name."""

    topic: str


Outcome = Applied | StaleCatalogue | Conflict | Behind | DueConflict | OtherTopic


class Runs(msgspec.Struct, frozen=True):
    """The run of the server that holds each bucket, and of the one that holds the catalogue.

    "" for a server of a cluster that doesn't answer while others do.
    """

    buckets: tuple[str, ...]
    catalogue: str


class StorePlacement(Protocol):
    """Where data lives: in which bucket, on which server, in which run of it."""

    def bucket(self, tenant: str) -> Bucket:
        """Returns the bucket of a tenant."""

    def server(self, bucket: Bucket) -> str:
        """Names the server that holds the bucket, as far as is known: its buckets fail together. Sends nothing."""

    async def run(self) -> str:
        """Names the run of the whole store: another name means that any server restarted, failed over, went back, or
        that slots moved. Raises StoreUnavailable."""

    async def runs(self) -> Runs:
        """Names the run of each part: another name means that this part restarted, failed over, went back or moved."""


class EventStore(StorePlacement, Protocol):
    """Applies events. Raises StoreUnavailable. The client never retries a write: the caller reads again instead."""

    async def load(
        self, bucket: Bucket, tickets: Mapping[str, Sequence[str]], generations: Mapping[str, str]
    ) -> Loaded:
        """Reads a bucket atomically: `tickets` is tenant -> ticket ids, `generations` those that the caller knows."""

    async def apply(self, batch: Batch) -> Outcome:
        """Validates everything, then writes everything, then publishes hints."""

    async def states(self, buckets: Sequence[Bucket]) -> Mapping[Bucket, BucketState]:
        """Returns the states of many buckets."""

    async def new_epoch(self, bucket: Bucket) -> None:
        """Sets a new epoch: versions of the bucket's tenants may have gone back."""

    async def adopt_topic(self, bucket: Bucket, topic: str) -> None:
        """Forgets the bucket's positions and makes `topic` their topic: the operator decided so."""


class TimerStore(EventStore, Protocol):
    """Finds the tickets that change by time alone. Raises StoreUnavailable."""

    async def due(self, bucket: Bucket, now: Instant, limit: int) -> Sequence[DueTicket]:
        """Returns at most `limit` tickets due at `now`, ordered by due time, oldest first. With none due it raises the
        timers to `now`."""

    async def forget_due(self, bucket: Bucket, tickets: Sequence[DueTicket]) -> None:
        """Removes these from the due set: their generation no longer exists."""


class OffsetStore(EventStore, CatalogueStore, Protocol):
    """All that holds offsets of a topic: the positions of buckets, and the offsets of catalogue entries."""
