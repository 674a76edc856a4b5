"""Partitions come from real Kafka with an old commit in it: nothing is handed out before the store was asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.engine.away import AwayBuckets
from consumers.ingest.assignment import Assignment
from consumers.kafka.clients import events_consumer
from consumers.kafka.topics import ensure_topics
from consumers.metrics import ConsumerMetrics
from consumers.settings import ConsumerSettings
from service.store.ports.steps import Batch, PartitionProgress
from tests.fakes.memory_store import MemoryStore
from tests.journeys.programs import sending
from tests.servers.kafka.topics import Topics
from tests.support.waiting import wait_until

BUCKETS = 2
RECORDS, COMMITTED, STORED = 30, 10, 20
JOINS_S = 20.0
POLLS = 10
"""A broker on this machine has answered the first fetch long before."""


@pytest.fixture
def settings(kafka: str, topics: Topics) -> ConsumerSettings:
    return ConsumerSettings(
        kafka=kafka,
        group=topics.group,
        events_topic=topics.events,
        catalogue_topic=topics.catalogue,
        dead_letter_topic=topics.dead_letters,
        partitions=1,
    )


@pytest.fixture
async def events(settings: ConsumerSettings) -> TopicPartition:
    """The only partition: thirty records, of which the group has committed ten."""
    await ensure_topics(settings)
    partition = TopicPartition(settings.events_topic, 0)
    async with sending.opened(settings.kafka) as producer:
        for number in range(RECORDS):
            await producer.send(settings.events_topic, b"%d" % number)
    async with running(settings) as consumer:
        consumer.assign([partition])
        await consumer.commit({partition: COMMITTED})
    return partition


@asynccontextmanager
async def running(settings: ConsumerSettings) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer as the product makes it."""
    consumer = events_consumer(settings)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def joined(settings: ConsumerSettings, store: MemoryStore) -> AsyncIterator[tuple[AIOKafkaConsumer, Assignment]]:
    """A member of the group that was given the partition, and has not asked the store yet."""
    async with running(settings) as consumer:
        metrics = ConsumerMetrics()
        assignment = Assignment(consumer, AwayBuckets(store, "topic", range(BUCKETS), metrics), metrics)
        consumer.subscribe([settings.events_topic], listener=assignment)

        async def given() -> bool:
            assert await consumer.getmany(timeout_ms=50) == {}, "handed out before it was positioned"
            return bool(assignment.waiting)

        await wait_until(given, JOINS_S, "the partition to be assigned")
        yield consumer, assignment


async def stored(position: int) -> MemoryStore:
    """A store whose buckets all have everything below the position."""
    store = MemoryStore(BUCKETS, lambda: 0)
    for bucket in range(BUCKETS):
        await store.apply(Batch(bucket, "topic", {0: PartitionProgress(None, position, 0)}))
    return store


async def test_nothing_is_handed_out_between_assignment_and_position(
    settings: ConsumerSettings, events: TopicPartition
) -> None:
    async with joined(settings, await stored(STORED)) as (consumer, assignment):
        for _ in range(POLLS):
            assert await consumer.getmany(timeout_ms=100) == {}
        assert (assignment.waiting, assignment.ready) == ({events}, set())
        await assignment.position()
        assert (assignment.waiting, assignment.ready) == (set(), {events})
        assert await offsets(consumer) == list(range(STORED, RECORDS))


async def test_a_store_that_knows_nothing_is_served_from_the_start_whatever_kafka_has_committed(
    settings: ConsumerSettings, events: TopicPartition
) -> None:
    async with joined(settings, MemoryStore(BUCKETS, lambda: 0)) as (consumer, assignment):
        await assignment.position()
        assert await offsets(consumer) == list(range(RECORDS))


async def test_the_bucket_that_is_furthest_behind_decides(settings: ConsumerSettings, events: TopicPartition) -> None:
    store = await stored(STORED)
    await store.apply(Batch(1, "topic", {0: PartitionProgress(STORED, STORED + 5, 0)}))
    async with joined(settings, store) as (consumer, assignment):
        await assignment.position()
        assert await offsets(consumer) == list(range(STORED, RECORDS))
        assert assignment.seen == {events: STORED + 5}


async def offsets(consumer: AIOKafkaConsumer) -> list[int]:
    """The offsets of all that is handed out until the log's end."""
    found: list[int] = []

    async def complete() -> bool:
        for records in (await consumer.getmany(timeout_ms=100)).values():
            found.extend(record.offset for record in records)
        return bool(found) and found[-1] == RECORDS - 1

    await wait_until(complete, JOINS_S, "the log's end")
    return found
