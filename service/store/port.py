"""What every counter store promises: the Redis one and its in-memory twin. Holds types only, does nothing.

A *bucket* is a fixed share of the tenants; all of a bucket is read and written in one atomic step. A *token*
names exactly one state of a tenant's catalogue record, so "compiled against" is one comparison. A *revision* names
exactly one write of one ticket; b"" is the revision of a ticket that was never written.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from service.domain.catalogue import Credential, Realm
from service.domain.contributions import Deltas
from service.domain.plan import Plan
from service.domain.record import Pair, TenantRecord
from service.domain.ticket import Image, Instant

Bucket = int
Position = int
"""Everything of a partition below this offset is applied."""


class StoreUnavailable(Exception):
    """Nothing is known to have been written: keep the position, try again."""


class StoreRefused(Exception):
    """The store can't be used as it is (layout, version, settings): an operator has to act first."""


class StoredTenant(msgspec.Struct, frozen=True):
    """A tenant's record with the token of exactly this state, and the generation its tickets and counters live in."""

    token: str
    generation: str
    record: TenantRecord


class StoredTicket(msgspec.Struct, frozen=True, gc=False):
    """A ticket as read: what to name in the write that replaces it."""

    revision: bytes
    image: Image | None


class BucketState(msgspec.Struct, frozen=True):
    """How far a bucket is: positions by partition, and the events topic they belong to ("" before the first)."""

    topic: str
    positions: Mapping[int, Position]


class Loaded(msgspec.Struct, frozen=True):
    """One atomic read of a bucket: its state, the current token of each tenant asked for, and the tickets."""

    state: BucketState
    tokens: Mapping[str, str]
    tickets: Mapping[tuple[str, str], StoredTicket]


class TicketWrite(msgspec.Struct, frozen=True, gc=False):
    """Replace the ticket that had `revision`; `image` None forgets it altogether."""

    ticket: str
    revision: bytes
    image: Image | None


class TenantBatch(msgspec.Struct, frozen=True):
    """What one call does to one tenant, and what it was compiled against."""

    tenant: str
    token: str
    generation: str
    writes: Sequence[TicketWrite]
    deltas: Deltas
    as_of: Instant | None = None
    """The newest event time among the changes, never beyond now."""


class Progress(msgspec.Struct, frozen=True):
    """How far one partition is after this call.

    `known` is the last position that this consumer wrote or read in this bucket (None: it saw none): a stored one
    below it means that the store lost acknowledged writes. `lag_ms` is the age of the oldest record that
    is not applied yet, 0 when there is none.
    """

    known: Position | None
    position: Position
    lag_ms: int


class Batch(msgspec.Struct, frozen=True):
    """One atomic step of one bucket: either all of it happens, or nothing."""

    bucket: Bucket
    topic: str
    progress: Mapping[int, Progress]
    tenants: Sequence[TenantBatch] = ()
    now: Instant = 0


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


class OtherTopic(msgspec.Struct, frozen=True):
    """Nothing is written: the bucket's positions belong to another events topic of that name."""

    topic: str


Outcome = Applied | StaleCatalogue | Conflict | Behind | OtherTopic


class CountQuery(msgspec.Struct, frozen=True):
    """What one answer needs: columns of the counter of all tickets, and whole counters of persons and teams."""

    tenant: str
    token: str
    generation: str
    columns: tuple[int, ...]
    counters: tuple[str, ...]
    asked: int
    """Which columns of `counters` are needed, as a mask."""


def query_for(tenant: str, token: str, generation: str, plan: Plan) -> CountQuery:
    """The query that reads what the plan needs."""
    return CountQuery(tenant, token, generation, plan.columns, plan.counters, plan.asked)


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


class TicketPage(msgspec.Struct, frozen=True):
    """Some tickets of a tenant by id, deleted ones too, unpacked one by one as they are gone through.

    `cursor` is where to go on, 0 at the end; it is good only in the same `run` of the store.
    """

    run: str
    cursor: int
    tickets: Iterable[tuple[str, Image]]


class CounterReader(Protocol):
    """What the service reads. Raises StoreUnavailable when the store can't be reached in time."""

    async def realm(self, name: str) -> Realm | None:
        """The realm in force under this name."""

    async def tenant(self, tenant: str) -> StoredTenant | None:
        """The tenant's record; None when no such tenant is in force."""

    async def snapshot(self, query: CountQuery) -> Snapshot | None:
        """The counts, or None when the token is no longer the current one: reload the tenant, ask again."""

    async def ask_pairs(self, tenant: str, pairs: Iterable[Pair], now: Instant, *, missing: bool) -> None:
        """Notes that pairs of profile and filter were asked for; `missing`: there are no columns for one of them."""

    async def ticket_count(self, tenant: str, generation: str) -> int:
        """How many tickets are stored, deleted ones included."""

    async def images(self, tenant: str, generation: str, cursor: int, limit: int) -> TicketPage:
        """About `limit` tickets from the cursor on, 0 at first. A whole scan has each ticket that was there all along
        at least once; some may come again."""

    async def catalogue_read(self) -> bool:
        """Whether some consumer has read the catalogue topic to its end at least once, be it empty."""

    async def ping(self) -> None:
        """Returns when the store answers."""


class CounterStore(CounterReader, Protocol):
    """What the consumers write. Writes are never retried by the client: an in-doubt call is read again instead."""

    async def load(
        self, bucket: Bucket, tickets: Mapping[str, Sequence[str]], generations: Mapping[str, str]
    ) -> Loaded:
        """One atomic read of a bucket: tenant -> ticket ids, in the generations the caller knows."""

    async def apply(self, batch: Batch) -> Outcome:
        """Validates everything, then writes everything, then hints."""

    async def states(self, buckets: Sequence[Bucket]) -> Mapping[Bucket, BucketState]:
        """The positions of many buckets."""

    async def tenants(self, bucket: Bucket) -> Sequence[str]:
        """The tenants in force in a bucket."""

    def bucket(self, tenant: str) -> Bucket:
        """The bucket a tenant lives in."""

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
        """Removes about `limit` tickets of an orphan and the counters they were in; True when nothing is left."""

    async def wanting(self) -> Sequence[str]:
        """Tenants of whom a pair without columns was asked for."""

    async def settle_wanting(self, tenant: str) -> None:
        """The tenant's pairs were looked at."""

    async def asked_pairs(self, tenant: str) -> Mapping[Pair, Instant]:
        """When each pair was last asked for."""

    async def forget_pairs(self, tenant: str, pairs: Sequence[Pair]) -> None:
        """These are asked for no more."""

    async def sweep_mark(self, tenant: str) -> str:
        """How far the tenant's sweep is, as whoever did it has noted; "" for nothing."""

    async def set_sweep_mark(self, tenant: str, mark: str) -> None:
        """Notes how far the tenant's sweep is; "" when it is done."""

    async def put_realm(self, name: str, offset: int, realm: Realm | None) -> None:
        """Takes a realm (None: its removal) unless a newer one is stored."""

    async def put_credential(self, identifier: str, offset: int, credential: Credential | None) -> None:
        """Takes a credential (None: its removal) unless a newer one is stored."""

    async def judged(self) -> Position:
        """Catalogue records below this offset were judged before: bad ones among them are dead letters already."""

    async def set_judged(self, position: Position) -> None:
        """Raises `judged` to the offset up to which the catalogue was read to its end."""

    async def scan(self, tenant: str, generation: str, cursor: int, limit: int) -> tuple[int, Sequence[str]]:
        """Some ticket ids of a tenant and the next cursor, 0 at the end. About `limit` at a time."""

    async def lease(self, bucket: Bucket, holder: str, ttl_ms: int) -> bool:
        """Takes or renews the bucket's lease; False while somebody else holds it."""

    async def run(self) -> str:
        """Names the run of the store: another name means that it restarted, failed over or went back."""
