"""Partitions that wait for dead letters: each holds back itself alone, and no position passes a letter on its way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.backoff import Backoff
from consumers.engine import batch_processor
from consumers.engine.away import AwayBuckets
from consumers.engine.batch_processor import BatchProcessor
from consumers.engine.rewinding import Rewinding
from consumers.ingest import poll
from consumers.ingest.assignment import Assignment
from consumers.ingest.freshness import Freshness
from consumers.ingest.poll import Poll
from consumers.kafka.fetches import Fetches
from service.store.ports.steps import Batch, Outcome
from tests.consumers.small_world import TENANT, MeddledStore, SmallWorld, counts, patched, tenant_entry, told
from tests.oracle.published.log import laid_out
from tests.oracle.published.records import LogItem, Record
from tests.support.pipeline import TIMESTAMP_MS, TOPIC_ID, FakeProducer, KafkaRecord, buckets_of
from tests.support.waiting import wait_until

PARTITIONS = 3
OTHER_TENANT = "initech"
BAD = Record(b"{", f"{TENANT}/T1".encode())
NEVER = f"{TENANT}/NEVER".encode()
"""Key of patches without a ticket."""
HURRY_S = 10.0


class Client:
    """As much of a Kafka client as the loop asks for: some partitions, all of it there from the start."""

    def __init__(self, *logs: Sequence[LogItem]) -> None:
        self.logs = {
            TopicPartition("ticket-events", number): [
                KafkaRecord(number, offset, one.key, one.value, one.headers, TIMESTAMP_MS)
                for offset, one in enumerate(laid_out(log))
            ]
            for number, log in enumerate(logs)
        }
        self.at = dict.fromkeys(self.logs, 0)
        self.held_bytes: list[int] = []

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int, held_bytes: int = 0
    ) -> Mapping[TopicPartition, Sequence[KafkaRecord]]:
        self.held_bytes.append(held_bytes)
        await asyncio.sleep(0)
        given: dict[TopicPartition, Sequence[KafkaRecord]] = {}
        for tp in partitions or self.logs:
            found = self.logs[tp][self.at[tp] : self.at[tp] + max_records]
            self.at[tp] += len(found)
            if found:
                given[tp] = found
        return given

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self.logs)

    def pause(self, *partitions: TopicPartition) -> None:
        """Nothing is fetched but by the loop."""

    resume = pause

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.at[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        return self.at[partition]

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """For monitoring only."""

    def highwater(self, partition: TopicPartition) -> int:
        return len(self.logs[partition])

    last_stable_offset = highwater

    def last_poll_timestamp(self, partition: TopicPartition) -> int:
        return TIMESTAMP_MS


class SlowProducer(FakeProducer):
    """Acknowledges a letter only once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[tuple[int, int], asyncio.Future[object]]] = []

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        *,
        timestamp_ms: int | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> "asyncio.Future[object]":
        await (await super().send(topic, value, key, timestamp_ms=timestamp_ms, headers=headers))
        acknowledged: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        last = self.sent[-1]
        self.waiting.append(((last.partition, last.offset), acknowledged))
        return acknowledged

    def acknowledge(self, place: int = 0, failure: Exception | None = None) -> None:
        """One that waits: well, or not."""
        _, acknowledged = self.waiting.pop(place)
        if failure is None:
            acknowledged.set_result(None)
        else:
            acknowledged.set_exception(failure)

    def first(self, *, in_step: bool = True) -> dict[int, int]:
        """By partition, the first offset whose letter isn't acknowledged.

        Without `in_step` only letters of the round, which hold back every bucket; a step's hold back its own bucket.
        """
        of_step = {(one.partition, one.offset) for one in self.sent if one.key == NEVER}
        found: dict[int, int] = {}
        for (partition, offset), _ in self.waiting:
            if in_step or (partition, offset) not in of_step:
                found[partition] = min(offset, found.get(partition, offset))
        return found


class WatchedStore(MeddledStore):
    """Counts positions that are written beyond a letter that isn't acknowledged."""

    def __init__(self, producer: SlowProducer) -> None:
        super().__init__()
        self._producer = producer
        self.passed = 0

    async def apply(self, batch: Batch) -> Outcome:
        first = self._producer.first(in_step=batch.bucket == self.bucket(TENANT))
        for partition, progress in batch.progress.items():
            self.passed += progress.position > first.get(partition, progress.position)
        return await super().apply(batch)


class World(SmallWorld):
    """Two tenants, and a producer that acknowledges when it is told to."""

    def __init__(self) -> None:
        super().__init__(tenant_entry(), tenant_entry(OTHER_TENANT))
        self.producer = self.slow = SlowProducer()
        self.store = self.watched = WatchedStore(self.slow)

    async def positions_of(self, partition: int) -> set[int]:
        """Of all buckets; -1 for none."""
        states = await self.store.states(range(self.store.buckets))
        return {state.positions.get(partition, -1) for state in states.values()}

    @asynccontextmanager
    async def running(self, client: Client, batch_records: int = 1_000) -> AsyncIterator[Poll]:
        """The loop of one consumer, which ends with the context."""
        consumer = await self.consumer()
        away = AwayBuckets(self.store, TOPIC_ID, range(buckets_of(self.store)), consumer.metrics)
        assignment = Assignment(client, away, consumer.metrics)
        processor = BatchProcessor(self.store, consumer.step, consumer.tenants, consumer.dead_letters, away, 3)
        rewinding = Rewinding(self.store, consumer.step, consumer.catalogue_sync, consumer.metrics, away)
        loop = Poll(
            client, assignment, away, processor, rewinding, consumer.clock, consumer.metrics, batch_records,
            lambda: None, same_topic, Freshness(Fetches(client), consumer.metrics),
        )  # fmt: skip
        await assignment.on_partitions_assigned([*client.logs])
        running = asyncio.create_task(loop.run(asyncio.Event()))
        try:
            yield loop
            assert not running.done(), running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def same_topic() -> None:
    """It always is."""


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pause(self: Backoff) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(Backoff, "pause", pause)
    monkeypatch.setattr(poll, "TICK_S", 0.0)


def is_at(world: World, partition: int, position: int) -> Callable[[], object]:
    async def reached() -> bool:
        return await world.positions_of(partition) == {position}

    return reached


async def test_a_partition_that_waits_for_a_letter_holds_back_itself_alone() -> None:
    world = World()
    client = Client([told(1, "T1"), BAD, told(1, "T2")], [told(1, "T3"), told(1, "T4", tenant=OTHER_TENANT)])
    async with world.running(client):
        await wait_until(is_at(world, 1, 2), HURRY_S, "the other partition's positions in every bucket")
        assert max(await world.positions_of(0)) <= 1, "the letter isn't acknowledged"
        assert world.slow.first() == {0: 1}
        world.slow.acknowledge()
        await wait_until(is_at(world, 0, 3), HURRY_S, "the partition to go on")
    assert await counts(world.store, ["all"]) == (3,)
    assert await counts(world.store, ["all"], tenant=OTHER_TENANT) == (1,)
    assert world.producer.places() == [(0, 1)]


async def test_many_bad_records_of_one_partition_give_the_others_their_turn() -> None:
    world = World()
    client = Client([BAD] * 4 * batch_processor.LETTERS_AT_ONCE, [told(1)])
    async with world.running(client):
        await wait_until(is_at(world, 1, 1), HURRY_S, "the good event of the other partition")
        assert len(world.producer.sent) == batch_processor.LETTERS_AT_ONCE
        assert max(await world.positions_of(0)) <= 0

        async def parked() -> bool:
            while world.slow.waiting:
                world.slow.acknowledge()
            return await world.positions_of(0) == {4 * batch_processor.LETTERS_AT_ONCE}

        await wait_until(parked, HURRY_S, "all letters")
    assert world.producer.places() == [(0, offset) for offset in range(4 * batch_processor.LETTERS_AT_ONCE)]


async def test_records_that_wait_count_for_what_a_poll_may_give_and_too_many_stop_the_polls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    client = Client([BAD, told(1, "T1")], [told(1, "T2")], [BAD, told(1, "T3")])
    async with world.running(client):
        await wait_until(is_at(world, 1, 1), HURRY_S, "the partition that is free")
        assert client.held_bytes[0] == 0
        assert client.held_bytes[-1] > 4 * 300, "four records wait"
        monkeypatch.setattr(poll, "MOST_BYTES", 1_000)
        await wait_until(lambda: _stands_still(client), HURRY_S, "the polls to stop")
        world.slow.acknowledge()
        world.slow.acknowledge()
        await wait_until(is_at(world, 2, 2), HURRY_S, "the polls to go on")
    assert await counts(world.store, ["all"]) == (3,)


async def _stands_still(client: Client) -> bool:
    polls = len(client.held_bytes)
    for _ in range(200):
        await asyncio.sleep(0)
    return len(client.held_bytes) == polls


async def test_a_letter_that_fails_is_sent_again_and_others_go_on_meanwhile() -> None:
    world = World()
    client = Client([BAD, told(1, "T1")], [told(1, "T2")])
    async with world.running(client):
        for _ in range(3):
            await wait_until(lambda: world.slow.waiting, HURRY_S, "the letter")
            world.slow.acknowledge(failure=KafkaError("no broker"))
        await wait_until(is_at(world, 1, 1), HURRY_S, "the other partition")
        await wait_until(lambda: world.slow.waiting, HURRY_S, "the letter")
        assert max(await world.positions_of(0)) <= 0
        world.slow.acknowledge()
        await wait_until(is_at(world, 0, 2), HURRY_S, "the partition to go on")


ITEMS = st.one_of(
    st.builds(
        told, st.integers(1, 9), st.sampled_from(("T1", "T2", "T3")), tenant=st.sampled_from((TENANT, OTHER_TENANT))
    ),
    st.just(BAD),
    st.builds(lambda number: patched(number, "NEVER", status="done"), st.integers(1, 9)),  # found bad by the step
    st.builds(lambda number: told(number, tenant="ghost"), st.integers(1, 9)),
)
LOGS = st.lists(st.lists(ITEMS, min_size=1, max_size=12), min_size=PARTITIONS, max_size=PARTITIONS)
ANSWERS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(("well", "well", "failed", "ends"))), max_size=20)


@pytest.mark.timeout(300)
@settings(max_examples=100, deadline=None)
@given(LOGS, ANSWERS, st.integers(1, 5))
def test_whenever_letters_are_acknowledged_no_position_passes_one_and_each_event_counts_once(
    logs: list[list[LogItem]], answers: list[tuple[int, str]], batch_records: int
) -> None:
    asyncio.run(_acknowledged_at_times(logs, answers, batch_records))


async def _acknowledged_at_times(logs: list[list[LogItem]], answers: list[tuple[int, str]], batch_records: int) -> None:
    expected, world = World(), World()
    expected.producer = FakeProducer()
    async with expected.running(Client(*logs)):
        await wait_until(lambda: _all_applied(expected, logs), HURRY_S, "all, with nothing in the way")
    client = Client(*logs)
    left = [*answers]
    while not await _all_applied(world, logs):
        async with world.running(client, batch_records):
            ends = False
            while not ends and not await _all_applied(world, logs):
                for _ in range(50):
                    await asyncio.sleep(0)
                if not world.slow.waiting:
                    continue
                place, what = left.pop(0) if left else (0, "well")
                ends = what == "ends"
                if ends:
                    world.slow.waiting.clear()  # nobody hears any more what becomes of them
                else:
                    failure = KafkaError("no broker") if what == "failed" else None
                    world.slow.acknowledge(place % len(world.slow.waiting), failure)
    assert world.watched.passed == 0
    for name in (TENANT, OTHER_TENANT):
        assert await counts(world.store, ["all"], tenant=name) == await counts(expected.store, ["all"], tenant=name)
    assert {*world.producer.places()} == {*expected.producer.places()}


async def _all_applied(world: World, logs: list[list[LogItem]]) -> bool:
    return all([await world.positions_of(partition) == {len(log)} for partition, log in enumerate(logs)])
