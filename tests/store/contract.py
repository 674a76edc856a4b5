"""What the stores' tests share: values to write, and a store of each kind. Asserts nothing about a store."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from service.domain.catalogue.catalogue import Filter, Status, TenantSettings
from service.domain.conditions.condition import Leaf
from service.domain.counting.contributions import Deltas
from service.domain.tenants.record import TenantRecord, new_record
from service.domain.tenants.tenant_entries import Entries
from service.domain.tickets.ticket import Ticket, TicketState
from service.store.ports.catalogue import StoredTenant
from service.store.ports.counter_store import CounterStore
from service.store.ports.reading import CountQuery, Snapshot
from service.store.ports.steps import Applied, Batch, PartitionProgress, TenantBatch, TicketWrite
from service.store.redis.store import RedisStore
from tests.fakes.memory_store import MemoryStore

Store = MemoryStore | RedisStore

BUCKETS = 4
TENANT, NEIGHBOUR, ELSEWHERE = "acme", "globex", "initech3"
"""The first two share a bucket, the third is in another; `test_buckets` sees to that."""
TOPIC = "topic-1"
NOW = 1_795_256_100_000_000
NEW = b""
"""The revision of a ticket that was never written."""

ODD_IDS = (
    "{x}", "{0}", "a:b", "a", "%2F", "/", "ünï çødé", "🎫", "two words", "*", 'quo"te', "{", "}", "%", "+", "t:a",
)  # fmt: skip


def now_ms() -> int:
    """The memory store's clock in these tests runs like the server's."""
    return time.time_ns() // 1_000_000


def record(version: int = 1, tenant: str = TENANT, name: str = "Acme") -> TenantRecord:
    settings = TenantSettings(tenant, name, "realm", (Status("3745", "Open"), Status("3748", "Closed", closed=True)))
    return new_record(Entries(settings, {"vip": Filter("vip", "VIP", "custom", Leaf("fields.vip", "eq", 1))}), version)


def stored(record_version: str = "t1", generation: str = "g1", version: int = 1, tenant: str = TENANT) -> StoredTenant:
    return StoredTenant(record_version, generation, record(version, tenant))


def ticket(**changes: Any) -> Ticket:
    usual = Ticket("3745", 0, team="net", assignee="ann", requester="rob")
    return msgspec.structs.replace(usual, **changes)


def ticket_state(sequence: int = 1, mask: int = 1, **changes: Any) -> TicketState:
    return TicketState(sequence, ticket(**changes), NOW, mask)


def tenant_batch(
    deltas: Deltas | None = None,
    *writes: TicketWrite,
    tenant: str = TENANT,
    record_version: str = "t1",
    generation: str = "g1",
    as_of: int | None = None,
) -> TenantBatch:
    return TenantBatch(tenant, record_version, generation, writes, deltas or {}, as_of)


def batch(
    *tenants: TenantBatch, progress: Mapping[int, PartitionProgress] | None = None, topic: str = TOPIC, now: int = NOW
) -> Batch:
    return Batch(MemoryStore(BUCKETS).bucket(TENANT), topic, progress or {}, tenants, now)


def reaching(position: int, known: int | None = None, lag_ms: int = 0) -> dict[int, PartitionProgress]:
    """Progress of partition 0."""
    return {0: PartitionProgress(known, position, lag_ms)}


def everyone(**columns: int) -> Deltas:
    """Deltas of the counter of all tickets: `everyone(c0=1, c7=-1)`."""
    return by_column({"*": {"": {int(name[1:]): change for name, change in columns.items()}}})


def by_column(changes: Mapping[str, Mapping[str, Mapping[int, int]]]) -> Deltas:
    """Deltas that come to these in the columns: each as of tickets that are in this one column alone."""
    return {
        counter: {part: {1 << column: change for column, change in columns.items()} for part, columns in parts.items()}
        for counter, parts in changes.items()
    }


async def applied(store: CounterStore, *tenants: TenantBatch, **more: Any) -> Applied:
    """Applies a batch that must be taken."""
    outcome = await store.apply(batch(*tenants, **more))
    assert isinstance(outcome, Applied), outcome
    return outcome


async def collected(store: CounterStore, generation: str, limit: int = 10) -> int:
    """Removes all that an orphaned generation has left; in how many bites its tickets went."""
    bites, orphan = 1, (TENANT, generation)
    while not await store.collect(*orphan, limit):
        bites += 1
        assert bites < 10_000, "it ends"
    cursor = await store.collect_counters({orphan}, 0, limit)
    while cursor:
        cursor = await store.collect_counters({orphan}, cursor, limit)
    await store.forget_orphans({orphan})
    return bites


async def revision(store: CounterStore, name: str, tenant: str = TENANT, generation: str = "g1") -> bytes:
    loaded = await store.load(store.bucket(tenant), {tenant: [name]}, {tenant: generation})
    return loaded.tickets[tenant, name].revision


async def snapshot(
    store: CounterStore,
    columns: Sequence[int] = (0,),
    counters: Sequence[str] = (),
    *,
    tenant: str = TENANT,
    record_version: str = "t1",
    generation: str = "g1",
) -> Snapshot:
    """A snapshot that must be given."""
    every = (1 << 5_000) - 1
    found = await store.snapshot(CountQuery(tenant, record_version, generation, tuple(columns), tuple(counters), every))
    assert found is not None
    return found
