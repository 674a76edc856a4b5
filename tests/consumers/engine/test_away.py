"""Buckets of a server that is away: the others go on, and what was missed is read again, each event counted once."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.backoff import Backoff
from consumers.dead_letters.sender import DeadLetters, FloodGuard
from consumers.engine import away
from consumers.engine.away import AwayBuckets
from consumers.engine.batch_processor import BatchProcessor
from consumers.engine.rewinding import Rewinding
from consumers.ingest import poll
from consumers.ingest.assignment import Assignment
from consumers.ingest.freshness import Freshness
from consumers.ingest.poll import Poll
from consumers.kafka.fetches import Fetches
from service.store.ports.catalogue import Bucket, StoredTenant
from service.store.ports.errors import StoreUnable, StoreUnavailable
from service.store.ports.steps import Batch, BucketState, Loaded, Outcome
from tests.consumers.small_world import (
    MeddledStore,
    SmallWorld,
    counts,
    deleted,
    filter_entry,
    log_of,
    patched,
    tenant_entry,
    told,
)
from tests.oracle.published.records import LogItem, Record
from tests.support.pipeline import TIMESTAMP_MS, TOPIC_ID, KafkaRecord, Pipeline

SERVERS = ("a", "b", "c")
NAMES = ("acme", "globex", "initech", "wonka", "soylent", "wayne")
GHOSTS = ("ghost", "phantom", "specter")
"""Tenants that the catalogue doesn't have."""

PARTITION = TopicPartition("ticket-events", 0)
OUTAGE = 100
"""Calls in vain, one after another, after which all servers are back: nothing else happens while none is."""

LAPS = 5_000
"""Turns of the loop, far more than any run needs."""


class Cluster(MeddledStore):
    """A store of several servers, any of which may be away, full, or lose its answers."""

    def __init__(self) -> None:
        super().__init__()
        self.away: set[str] = set()
        self.full: set[str] = set()
        self.mute: set[str] = set()
        self.missed = 0
        """Calls in vain since the last that found its server."""

    def server(self, bucket: Bucket) -> str:
        return SERVERS[bucket % len(SERVERS)]

    def _reach(self, bucket: Bucket) -> None:
        self.missed += 1
        if self.missed > OUTAGE:
            self.away.clear()
        if self.server(bucket) in self.away:
            raise StoreUnavailable(f"server {self.server(bucket)} is away")
        self.missed = 0

    async def states(self, buckets: Sequence[Bucket]) -> Mapping[Bucket, BucketState]:
        for bucket in buckets:
            self._reach(bucket)
        return await super().states(buckets)

    async def load(self, bucket: int, tickets: Mapping[str, Sequence[str]], generations: Mapping[str, str]) -> Loaded:
        self._reach(bucket)
        return await super().load(bucket, tickets, generations)

    async def tenant(self, tenant: str) -> StoredTenant | None:
        self._reach(self.bucket(tenant))
        return await super().tenant(tenant)

    async def apply(self, batch: Batch) -> Outcome:
        self._reach(batch.bucket)
        if self.server(batch.bucket) in self.full:
            raise StoreUnable("full")
        outcome = await super().apply(batch)
        if self.server(batch.bucket) in self.mute:
            raise StoreUnavailable("no answer, though it was carried out")
        return outcome


class Client:
    """A Kafka client of one partition. Before each fetch it does the next thing that a test has in mind."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = [
            KafkaRecord(0, offset, one.key, one.value, one.headers, TIMESTAMP_MS) for offset, one in enumerate(records)
        ]
        self.at = 0
        self.fetches = 0
        self.before: Callable[[int], int] = lambda _: len(self.records)
        """Takes the number of the fetch, and gives how many records it brings."""

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[KafkaRecord]]:
        self.fetches += 1
        assert self.fetches < LAPS, "it never gets there"
        most = self.before(self.fetches)
        await asyncio.sleep(0)
        found = self.records[self.at : self.at + most]
        self.at += len(found)
        return {PARTITION: found} if found else {}

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset({PARTITION})

    def pause(self, *partitions: TopicPartition) -> None:
        """Nothing is fetched but by the loop."""

    resume = pause

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.at = offset

    async def position(self, partition: TopicPartition) -> int:
        return self.at

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """For monitoring only."""

    def highwater(self, partition: TopicPartition) -> int:
        return len(self.records)

    last_stable_offset = highwater

    def last_poll_timestamp(self, partition: TopicPartition) -> int:
        return TIMESTAMP_MS


class SpreadWorld(SmallWorld):
    """Tenants whose buckets are on different servers."""

    def __init__(self) -> None:
        entries = [entry for name in NAMES for entry in (tenant_entry(name), filter_entry(tenant=name))]
        super().__init__(*entries)
        self.cluster = self.store = Cluster()

    def on(self, server: str) -> str:
        """A tenant of that server."""
        return next(name for name in NAMES if self.server_of(name) == server)

    def server_of(self, name: str) -> str:
        return self.cluster.server(self.cluster.bucket(name))

    def position(self, tenant: str) -> int:
        return self.cluster._states[self.cluster.bucket(tenant)].positions.get(0, 0)

    def applied(self) -> bool:
        """Whether every bucket has all of the log."""
        return (
            all(state.positions.get(0, 0) >= self.end for state in self.cluster._states.values())
            and len(self.cluster._states) == self.cluster.buckets
        )

    end = 0

    async def run(self, client: Client, before: Callable[[int], int], done: Callable[[], bool]) -> Pipeline:
        """Has a consumer run its loop until that is so."""
        away, self.cluster.away = self.cluster.away, set()
        consumer = await self.consumer()  # which has the catalogue, whoever is away later
        self.cluster.away = away
        consumer.dead_letters = DeadLetters(
            self.producer, "dead-letters", consumer.metrics, FloodGuard(10_000, 100_000, 1.0)
        )
        consumer.step._dead_letters = consumer.dead_letters
        self.end = len(client.records)
        buckets = AwayBuckets(self.store, TOPIC_ID, range(self.cluster.buckets), consumer.metrics)
        assignment = Assignment(client, buckets, consumer.metrics)
        processor = BatchProcessor(self.store, consumer.step, consumer.tenants, consumer.dead_letters, buckets, 3)
        rewinding = Rewinding(self.store, consumer.step, consumer.catalogue_sync, consumer.metrics, buckets)
        loop = Poll(
            client, assignment, buckets, processor, rewinding, consumer.clock, consumer.metrics, 1_000, lambda: None,
            same_topic, Freshness(Fetches(client), consumer.metrics),
        )  # fmt: skip
        stop = asyncio.Event()

        def and_look(fetch: int) -> int:
            most = before(fetch)
            if done():
                stop.set()
                return 0
            return most

        client.before = and_look
        await assignment.on_partitions_assigned([PARTITION])
        watching = asyncio.create_task(buckets.watch())
        try:
            await loop.run(stop)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        return consumer


async def same_topic() -> None:
    """It always is."""


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pause(self: Backoff) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(Backoff, "pause", pause)
    monkeypatch.setattr(away, "PATIENCE_S", 0.0)
    monkeypatch.setattr(away, "PROBE_S", 0.0)
    monkeypatch.setattr(away, "LONGEST_REST_S", 0.0)
    monkeypatch.setattr(poll, "TICK_S", 0.0)


async def test_the_buckets_of_other_servers_go_on_and_what_was_missed_is_read_again() -> None:
    world = SpreadWorld()
    gone, live = world.on("a"), world.on("b")
    client = Client(log_of(*(told(1, f"T{n}", tenant=name) for n in range(20) for name in (gone, live))))
    missed: list[int] = []

    def before(fetch: int) -> int:
        if fetch == 3:
            world.cluster.away.add("a")
        if world.position(live) == world.end and "a" in world.cluster.away:
            missed.append(world.end - world.position(gone))
            world.cluster.away.clear()
        return 4

    consumer = await world.run(client, before, world.applied)
    assert missed[0] > 20, "the other one has all of the log, and this one not half of it"
    for name in (gone, live):
        assert await counts(world.store, ["all"], tenant=name) == (20,)
    assert consumer.metrics.buckets_away._value.get() == 0


async def test_a_bucket_that_is_away_when_partitions_are_positioned_is_read_from_its_own_place_later() -> None:
    world = SpreadWorld()
    gone, live = world.on("a"), world.on("b")
    client = Client(log_of(*(told(1, f"T{n}", tenant=name) for n in range(20) for name in (gone, live))))
    world.cluster.away.add("a")
    missed: list[int] = []

    def before(fetch: int) -> int:
        if world.position(live) == world.end and "a" in world.cluster.away:
            missed.append(world.end - world.position(gone))
            world.cluster.away.clear()
        return 4

    await world.run(client, before, world.applied)
    assert missed == [world.end]
    for name in (gone, live):
        assert await counts(world.store, ["all"], tenant=name) == (20,)


async def test_a_bad_record_of_a_bucket_that_is_away_is_parked_once_it_is_read_again() -> None:
    world = SpreadWorld()
    live = world.on("b")
    ghosts = [name for name in (f"ghost-{n}" for n in range(30)) if world.server_of(name) == "a"]
    client = Client(log_of(*(told(1, tenant=name) for name in (*ghosts, live))))
    world.cluster.away.add("a")
    parked: list[int] = []

    def before(fetch: int) -> int:
        if world.position(live) == world.end and "a" in world.cluster.away:
            parked.append(len(world.producer.sent))
            world.cluster.away.clear()
        return 4

    await world.run(client, before, world.applied)
    assert parked == [0]
    assert world.producer.places() == [(0, offset) for offset in range(len(ghosts))]


async def test_where_no_server_is_left_all_wait() -> None:
    world = SpreadWorld()
    client = Client(log_of(*(told(1, f"T{n}", tenant=name) for n in range(20) for name in NAMES)))
    at: list[int] = []

    def before(fetch: int) -> int:
        at.append(client.at)
        if fetch == 3:
            world.cluster.away |= {*SERVERS}
        return 4

    await world.run(client, before, world.applied)
    assert at[:4] == [0, 4, 8, 8], "nothing more is read while nobody could take it"
    for name in NAMES:
        assert await counts(world.store, ["all"], tenant=name) == (20,)


def events_of(name: str) -> st.SearchStrategy[LogItem]:
    tickets, sequences = st.sampled_from(("T1", "T2", "T3")), st.integers(1, 9)
    whole = st.builds(
        lambda number, ticket, status, category: told(number, ticket, status, tenant=name, category=category),
        sequences, tickets, st.sampled_from(("open", "done")), st.sampled_from(("vip", "c")),
    )  # fmt: skip
    others = st.builds(
        lambda make, number, ticket: make(number, ticket) | {"tenantid": name},
        st.sampled_from((deleted, lambda number, ticket: patched(number, ticket, status="done"))), sequences, tickets,
    )  # fmt: skip
    return st.one_of(whole, whole, others)


BAD = st.builds(lambda name: Record(b"{", f"{name}/T1".encode()), st.sampled_from(NAMES))
TOMBSTONES = st.builds(lambda name: Record(None, f"{name}/T1".encode()), st.sampled_from(NAMES))
LOGS = st.lists(
    st.one_of(st.sampled_from((*NAMES, *NAMES, *GHOSTS)).flatmap(events_of), BAD, TOMBSTONES), min_size=1, max_size=60
)
TROUBLES = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from(("away", "full", "mute", "well", "anew")), st.sampled_from(SERVERS)),
    max_size=12,
)


@pytest.mark.timeout(300)
@settings(max_examples=60, deadline=None)
@given(LOGS, TROUBLES)
def test_whatever_becomes_of_servers_each_event_counts_once_and_no_bad_record_vanishes(
    log: list[LogItem], troubles: list[tuple[int, str, str]]
) -> None:
    asyncio.run(told_apart(log, troubles))


async def told_apart(log: list[LogItem], troubles: list[tuple[int, str, str]]) -> None:
    """Compares with a run to which nothing happens."""
    expected, world = SpreadWorld(), SpreadWorld()
    records = log_of(*log)
    quiet = Client(records)
    await expected.run(quiet, lambda fetch: len(records), expected.applied)
    client, left = Client(records), [*troubles]

    def before(fetch: int) -> int:
        """Something else happens with each fetch; in the end everything is well."""
        most, what, server = left.pop(0) if left else (3, "well", "")
        if what == "well":
            for trouble in (world.cluster.away, world.cluster.full, world.cluster.mute):
                trouble.discard(server) if server else trouble.clear()
        elif what != "anew":
            getattr(world.cluster, what).add(server)
        return most

    def ends_here() -> bool:
        """Whether the process ends, and another one begins."""
        if left and left[0][1] == "anew":
            left.pop(0)
            return True
        return not left and world.applied()

    await world.run(client, before, ends_here)
    while left or not world.applied():
        await world.run(client, before, ends_here)
    world.cluster.away.clear()
    for name in NAMES:
        assert await counts(world.store, ["all", "open", "done", "vip"], tenant=name) == await counts(
            expected.store, ["all", "open", "done", "vip"], tenant=name
        )
    assert {*world.producer.places()} == {*expected.producer.places()}
