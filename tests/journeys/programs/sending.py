"""Raw records into topics, by a plain Kafka client: what `consumers.publish` would refuse, and tombstones."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

LARGEST_BYTES = 2_000_000
"""Some bad records are over the contract's limit, and have to get in to be dead letters."""


PATIENCE_S = 40.0
"""How long aiokafka waits for an acknowledgement by default."""


@asynccontextmanager
async def opened(kafka: str, patience_s: float = PATIENCE_S) -> AsyncIterator[AIOKafkaProducer]:
    """A producer whose records are acknowledged by all replicas, in the order in which they are sent.

    What isn't acknowledged within `patience_s` fails, and may be in the topic all the same.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka,
        acks="all",
        linger_ms=2,
        max_batch_size=262_144,
        max_request_size=LARGEST_BYTES,
        request_timeout_ms=int(patience_s * 1000),
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
