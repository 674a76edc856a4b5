"""Topics read back with a plain Kafka client, from their first record. Knows nothing of the product's code."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from tests.oracle.published.records import Record
from tests.support.waiting import wait_until

READ_S, READ_LEAST_A_SECOND = 20.0, 5_000
"""A hundred thousand records take a second or two; a busy machine has this long for a topic, and for its records."""


@asynccontextmanager
async def opened(kafka: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A client outside of any group."""
    client = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", enable_auto_commit=False)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def partitions_of(client: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """The topic's partitions as the broker has them now; none where it isn't made yet."""
    cluster = await client._client.fetch_all_metadata()  # what the public calls give may be minutes old
    return [TopicPartition(topic, number) for number in sorted(cluster.partitions_for_topic(topic) or ())]


async def ends_of(client: AIOKafkaConsumer, topic: str) -> dict[int, int]:
    """The next offset of each partition."""
    ends = await client.end_offsets(await partitions_of(client, topic))
    return {tp.partition: end for tp, end in ends.items()}


async def read(kafka: str, topic: str) -> list[ConsumerRecord]:
    """Every record that is in the topic now, each partition in its order."""
    async with opened(kafka) as client:
        partitions = await partitions_of(client, topic)
        ends = await client.end_offsets(partitions)
        client.assign(partitions)
        records: list[ConsumerRecord] = []

        async def complete() -> bool:
            for batch in (await client.getmany(timeout_ms=100)).values():
                records.extend(batch)
            return all([await client.position(tp) >= end for tp, end in ends.items()])

        within_s = READ_S + sum(ends.values()) / READ_LEAST_A_SECOND
        await wait_until(complete, within_s, f"the end of {topic}")
    return [one for one in records if one.offset < ends[TopicPartition(topic, one.partition)]]


def as_log(records: Sequence[ConsumerRecord]) -> list[Record]:
    """The records as the oracle takes them."""
    return [Record(one.value, one.key, tuple(one.headers), one.partition, one.offset) for one in records]
