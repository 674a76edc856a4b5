"""Raw records into topics, by a plain Kafka client: what `consumers.publish` would refuse, and tombstones."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

LARGEST_BYTES = 2_000_000
"""Some bad records are over the contract's limit, and have to get in to be dead letters."""


@asynccontextmanager
async def opened(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer whose records are acknowledged by all replicas, in the order in which they are sent."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", linger_ms=2, max_batch_size=262_144, max_request_size=LARGEST_BYTES
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
