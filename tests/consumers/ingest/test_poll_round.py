"""One round of the loop and one tick, over a log in memory: what is parked, what is raised, and what comes first."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumers.dead_letters.sender import DeadLetters, FloodGuard
from consumers.engine.away import AwayBuckets
from consumers.engine.batch_processor import BatchProcessor
from consumers.engine.rewinding import Rewinding
from consumers.errors import Flood
from consumers.ingest.assignment import Assignment
from consumers.ingest.freshness import Freshness
from consumers.ingest.poll import Poll
from consumers.kafka.fetches import Fetches
from tests.consumers.small_world import TENANT, SmallWorld, log_of, told
from tests.oracle.published.records import LogItem, Record
from tests.support.pipeline import TIMESTAMP_MS, TOPIC_ID, FakeProducer, KafkaRecord, Pipeline, buckets_of
from tests.support.waiting import wait_until

PARTITION = TopicPartition("ticket-events", 0)
BAD = Record(b"{", f"{TENANT}/T1".encode())


class OnePartition:
    """As much of a Kafka client as the loop asks for: one partition, all of it fetched at once."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = [
            KafkaRecord(0, offset, one.key, one.value, one.headers, TIMESTAMP_MS) for offset, one in enumerate(records)
        ]
        self.at = 0

    def batch(self) -> Mapping[TopicPartition, Sequence[KafkaRecord]]:
        """The next fetch."""
        found, self.at = self.records[self.at :], len(self.records)
        return {PARTITION: found}

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset({PARTITION})

    def pause(self, *partitions: TopicPartition) -> None:
        """Nothing is fetched but by `batch`."""

    resume = pause

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.at = offset

    async def position(self, partition: TopicPartition) -> int:
        return self.at

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    def last_stable_offset(self, partition: TopicPartition) -> int:
        return len(self.records)

    highwater = last_stable_offset

    def last_poll_timestamp(self, partition: TopicPartition) -> int:
        return TIMESTAMP_MS


async def positioned(consumer: Pipeline, events: OnePartition) -> Poll:
    """The loop of that consumer, with its partition at hand."""
    away = AwayBuckets(consumer.store, TOPIC_ID, range(buckets_of(consumer.store)), consumer.metrics)
    assignment = Assignment(events, away, consumer.metrics)
    freshness = Freshness(Fetches(events), consumer.metrics)
    processor = BatchProcessor(consumer.store, consumer.step, consumer.tenants, consumer.dead_letters, away, 10)
    rewinding = Rewinding(consumer.store, consumer.step, consumer.catalogue_sync, consumer.metrics, away)
    poll = Poll(
        events, assignment, away, processor, rewinding, consumer.clock, consumer.metrics, 1_000, lambda: None,
        same_topic, freshness,
    )  # fmt: skip
    await assignment.on_partitions_assigned([PARTITION])
    await poll._position_partitions()
    return poll


async def same_topic() -> None:
    """It always is."""


async def stored(world: SmallWorld) -> list[int]:
    """Each bucket's position of the partition; -1 where it has none."""
    states = await world.store.states(range(world.store.buckets))
    return [state.positions.get(0, -1) for state in states.values()]


@pytest.mark.parametrize("log", [[told(1), BAD], [BAD]], ids=["beside a good record", "alone"])
async def test_no_position_moves_before_the_letters_of_a_round_are_acknowledged(log: list[LogItem]) -> None:
    acknowledgement: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    class Slow(FakeProducer):
        async def send(self, *arguments: object, **more: object) -> "asyncio.Future[object]":
            return acknowledgement

    world = SmallWorld()
    world.producer = Slow()
    consumer, events = await world.consumer(), OnePartition(log_of(*log))
    poll = await positioned(consumer, events)

    async def round_and_tick() -> None:
        await poll._round(events.batch())
        await poll._tick()

    work = asyncio.create_task(round_and_tick())
    await wait_until(consumer.metrics.dead_letters._value.get, 20, "a letter")
    for _ in range(20):
        await asyncio.sleep(0)
    assert not work.done()
    assert set(await stored(world)) == {-1}
    acknowledgement.set_result(None)
    await work
    assert set(await stored(world)) == {len(log)}


async def test_a_tick_raises_the_buckets_that_have_nothing_to_apply() -> None:
    world = SmallWorld()
    consumer, events = await world.consumer(), OnePartition(log_of(told(1), told(2)))
    poll = await positioned(consumer, events)
    await poll._round(events.batch())
    assert sorted(set(await stored(world))) == [-1, 2], "only the tenant's bucket had something to apply"
    await poll._tick()
    assert set(await stored(world)) == {2}


async def test_partitions_that_are_positioned_again_are_as_fresh_as_what_is_applied_now() -> None:
    world = SmallWorld()
    consumer, events = await world.consumer(), OnePartition(log_of(told(1), told(2)))
    poll = await positioned(consumer, events)
    await poll._round(events.batch())
    await poll._tick()
    assert poll._freshness.through_s(PARTITION, 2) is not None
    poll._assignment.restart()
    await poll._position_partitions()
    assert poll._freshness.through_s(PARTITION, 1) is None, "the store may have gone back"
    assert poll._freshness.through_s(PARTITION, 2) is not None


async def test_what_was_looked_at_before_is_not_parked_again() -> None:
    world = SmallWorld()
    consumer, events = await world.consumer(), OnePartition(log_of(BAD, told(1)))
    first = await positioned(consumer, events)
    await first._round(events.batch())
    assert world.producer.places() == [(0, 0)]
    again = await positioned(await world.consumer(), events)
    assert events.at == 0, "buckets that have nothing yet begin at the start"
    await again._round(events.batch())
    assert world.producer.places() == [(0, 0)]
    assert await world.counts("all") == (1,)


async def test_records_that_are_read_again_count_once_for_a_flood() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    consumer.dead_letters = DeadLetters(world.producer, "dead", consumer.metrics, FloodGuard(1_000, 4, 0.5))
    events = OnePartition(log_of(BAD, told(1), BAD, BAD))
    poll = await positioned(consumer, events)
    first, later = events.records[:2], events.records[2:]
    world.producer.failure = KafkaError("no broker")
    for _ in range(5):
        with pytest.raises(KafkaError):
            await poll._round({PARTITION: first})
    world.producer.failure = None
    await poll._round({PARTITION: first})
    assert world.producer.places() == [(0, 0)]
    with pytest.raises(Flood, match="3 of the last 4 records"):
        await poll._round({PARTITION: later})


async def test_records_of_a_partition_that_is_not_positioned_are_thrown_away() -> None:
    world = SmallWorld()
    consumer, events = await world.consumer(), OnePartition(log_of(told(1), BAD))
    poll = await positioned(consumer, events)
    batch = events.batch()
    poll._assignment.restart()
    await poll._round(batch)
    assert set(await stored(world)) == {-1}
    assert world.producer.places() == []
