"""What an operator, or retention, does to topics behind the consumers' backs. Knows nothing of the product's code."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete


@asynccontextmanager
async def opened(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """The brokers' administration."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def trim(kafka: str, topic: str, starts: Mapping[int, int]) -> None:
    """Removes what is below these offsets, by partition, as retention does."""
    async with opened(kafka) as admin:
        await admin.delete_records({TopicPartition(topic, p): RecordsToDelete(start) for p, start in starts.items()})


async def add_partitions(kafka: str, topic: str, total: int) -> None:
    """Has the topic have so many."""
    async with opened(kafka) as admin:
        await admin.create_partitions({topic: NewPartitions(total_count=total)})


async def remove(kafka: str, topic: str) -> None:
    """Removes the topic with all that is in it."""
    async with opened(kafka) as admin:
        await admin.delete_topics([topic])
