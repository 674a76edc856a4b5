"""Reads the dead-letter topic from its start to where it ends now. Outside of any group, and commits nothing."""

import asyncio
from collections.abc import AsyncGenerator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from consumers.settings import Settings
from consumers.topic_metadata import describe_topics
from consumers.topics import DEAD_LETTER_MAX_MESSAGE_BYTES

POLL_MS = 500
"""Longest wait for records in one poll."""

SILENCE_S = 30.0
"""Longest wait without a single record before the end: a frozen broker answers polls with nothing, for ever."""

STOP_LIMIT_S = 3.0
"""Longest wait for the client to leave."""


class LettersUnreadable(Exception):
    """The topic can't be read, or not to its end. The message says why."""


async def parked_records(settings: Settings) -> AsyncGenerator[ConsumerRecord, None]:
    """Every record that is in the topic at the time of the call, each partition in its order.

    Raises LettersUnreadable, and KafkaError.
    """
    topic = settings.dead_letter_topic
    described = (await describe_topics(settings.kafka, [topic])).get(topic)
    if described is None:
        raise LettersUnreadable(
            f"there is no topic {topic}: TICKET_COUNTS_DEAD_LETTER_TOPIC names another, or nothing ran"
        )
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=DEAD_LETTER_MAX_MESSAGE_BYTES,
    )
    try:
        await consumer.start()
        partitions = [TopicPartition(topic, number) for number in range(described.partitions)]
        consumer.assign(partitions)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        async for record in _until(consumer, ends):
            yield record
    finally:
        stopping = asyncio.ensure_future(consumer.stop())
        await asyncio.wait({stopping}, timeout=STOP_LIMIT_S)
        stopping.cancel()


async def _until(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> AsyncGenerator[ConsumerRecord, None]:
    loop = asyncio.get_running_loop()
    heard_at = loop.time()
    while True:
        behind = [tp for tp, end in ends.items() if await consumer.position(tp) < end]
        if not behind:
            return
        found = await consumer.getmany(*behind, timeout_ms=POLL_MS)
        if found:
            heard_at = loop.time()
        elif loop.time() - heard_at > SILENCE_S:
            raise LettersUnreadable(f"the broker is silent: {behind[0].topic} was not read to its end")
        for tp, records in found.items():
            for record in records:
                if record.offset < ends[tp]:
                    yield record
