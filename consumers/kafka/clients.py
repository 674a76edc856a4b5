"""The Kafka clients of the consumer, each with the defaults changed that would lose, skip or repeat records."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer

from consumers.fetching.reader import RecordReader
from consumers.kafka.topics import DEAD_LETTER_MAX_MESSAGE_BYTES, EVENTS_MAX_MESSAGE_BYTES
from consumers.settings import ConsumerSettings
from consumers.types import Note

FETCH_BYTES = 2 * EVENTS_MAX_MESSAGE_BYTES
"""Per partition and fetch: no record that the topic takes is larger."""

REBALANCE_TIMEOUT_MS = 30_000
"""A round that waits for Redis must not cost the partitions; aiokafka's 10 s would."""

POLL_INTERVAL_MS = 24 * 3_600 * 1_000
"""The loop may wait for Redis as long as it takes; a hung loop is found by its missing heartbeats."""


def events_consumer(settings: ConsumerSettings, note: Note | None = None) -> RecordReader:
    """A member of the group, without a topic yet. Positions are the store's alone."""
    return RecordReader(
        largest_batch_bytes=settings.largest_batch_bytes,
        note=note,
        bootstrap_servers=settings.kafka,
        group_id=settings.group,
        auto_offset_reset="none",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_BYTES,
        metadata_max_age_ms=int(settings.metadata_max_age_s * 1000),
        session_timeout_ms=int(settings.session_timeout_s * 1000),
        heartbeat_interval_ms=int(settings.session_timeout_s * 1000 / 5),
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        max_poll_interval_ms=POLL_INTERVAL_MS,
    )


def events_reader(settings: ConsumerSettings) -> RecordReader:
    """A reader of the events from any offset, outside of any group. It never jumps over what is no longer there."""
    return _reader(settings, "none")


def catalogue_consumer(settings: ConsumerSettings, note: Note | None = None) -> RecordReader:
    """A reader of the whole catalogue, outside of any group."""
    return _reader(settings, "earliest", note=note)


def letters_reader(settings: ConsumerSettings) -> RecordReader:
    """A reader of all dead letters, outside of any group. A letter is a whole batch and what parking adds."""
    return _reader(settings, "earliest", DEAD_LETTER_MAX_MESSAGE_BYTES, 2 * settings.largest_batch_bytes)


def _reader(
    settings: ConsumerSettings,
    start: str,
    fetch_bytes: int = FETCH_BYTES,
    largest_batch_bytes: int | None = None,
    note: Note | None = None,
) -> RecordReader:
    """Outside of any group; `start` says where to go on where an offset isn't there."""
    return RecordReader(
        largest_batch_bytes=largest_batch_bytes or settings.largest_batch_bytes,
        note=note,
        bootstrap_servers=settings.kafka,
        auto_offset_reset=start,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=fetch_bytes,
        metadata_max_age_ms=int(settings.metadata_max_age_s * 1000),
    )


class LetterProducer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka ships no types
    """Takes records with neither key nor value too, which brokers let through, and aiokafka's `send` doesn't."""

    async def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, **more: Any
    ) -> "asyncio.Future[object]":
        """As aiokafka's."""
        if value is None and key is None:
            batch = self.create_batch()
            batch.append(timestamp=more["timestamp_ms"], key=None, value=None, headers=more["headers"])
            partition = min(await self.partitions_for(topic))
            sent: asyncio.Future[object] = await self.send_batch(batch, topic, partition=partition)
        else:
            sent = await super().send(topic, value, key, **more)
        return sent


def dead_letter_producer(settings: ConsumerSettings) -> LetterProducer:
    """Sends what can't be applied; a letter counts as sent when every in-sync replica has it.

    Packed, because its record may have come so: 20 KB of gzip are 20 MB of zeros. A large one is alone in its batch.
    """
    return LetterProducer(
        bootstrap_servers=settings.kafka,
        acks="all",
        compression_type="zstd",
        max_request_size=2 * settings.largest_batch_bytes,
        metadata_max_age_ms=int(settings.metadata_max_age_s * 1000),
    )
