"""Creates the Kafka clients of the consumers. Never uses a client default that could lose, skip or repeat records."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer

from consumers.fetching.large import LARGE_BYTES, beside_the_loop
from consumers.fetching.reader import RecordReader
from consumers.kafka.topics import DEAD_LETTER_MAX_MESSAGE_BYTES, EVENTS_MAX_MESSAGE_BYTES
from consumers.settings import ConsumerSettings
from consumers.types import Note

FETCH_BYTES = 2 * EVENTS_MAX_MESSAGE_BYTES
"""Most bytes per partition in one fetch: as large as the largest batch that the topic accepts."""

REBALANCE_TIMEOUT_MS = 30_000
"""The group waits this long for a consumer that waits for Redis. With aiokafka's 10 s it would lose its partitions."""

POLL_INTERVAL_MS = 24 * 3_600 * 1_000
"""Practically unlimited: the loop may wait for Redis for long, and missing heartbeats reveal a loop that hangs."""


def events_consumer(settings: ConsumerSettings, note: Note | None = None) -> RecordReader:
    """Returns a member of the consumer group without a subscription. It starts at no offset until positioned."""
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
    """Returns a reader of events without a group. It raises an error at an offset that is gone, and never skips it."""
    return _reader(settings, "none")


def catalogue_consumer(settings: ConsumerSettings, note: Note | None = None) -> RecordReader:
    """Returns a reader of the whole catalogue, without a group."""
    return _reader(settings, "earliest", note=note)


def letters_reader(settings: ConsumerSettings) -> RecordReader:
    """Returns a reader of all dead letters, without a group. A letter may hold a whole batch and its added headers."""
    return _reader(settings, "earliest", DEAD_LETTER_MAX_MESSAGE_BYTES, 2 * settings.largest_batch_bytes)


def _reader(
    settings: ConsumerSettings,
    start: str,
    fetch_bytes: int = FETCH_BYTES,
    largest_batch_bytes: int | None = None,
    note: Note | None = None,
) -> RecordReader:
    """Returns a reader without a group. `start` is aiokafka's `auto_offset_reset`, for an offset that doesn't exist."""
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
    """A producer that also sends records with neither key nor value. Brokers accept them, aiokafka's `send` doesn't.

    Large ones are packed beside the event loop, one at a time.
    """

    async def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, **more: Any
    ) -> "asyncio.Future[object]":
        """Like aiokafka's `send`."""
        headers = more["headers"]
        size = sum(len(part or b"") for part in (value, key, *(content for _, content in headers)))
        if size < LARGE_BYTES and not (value is None and key is None):
            small: asyncio.Future[object] = await super().send(topic, value, key, **more)
            return small
        self._serialize(key, value, headers)  # raises MessageSizeTooLargeError
        batch = self.create_batch()

        def pack() -> None:
            batch.append(timestamp=more["timestamp_ms"], key=key, value=value, headers=headers)
            batch._build()  # noqa: SLF001  # aiokafka would do it in the loop, when the batch is due

        await beside_the_loop(pack)
        await self.partitions_for(topic)
        partition = self._partition(topic, None, key, value, key, value)
        large: asyncio.Future[object] = await self.send_batch(batch, topic, partition=partition)
        return large


def dead_letter_producer(settings: ConsumerSettings) -> LetterProducer:
    """Returns the producer of dead letters: a letter is acknowledged when every in-sync replica has it.

    It compresses, because the original may have been compressed: 20 KB of gzip can hold 20 MB of zeros. A large letter
    is alone in its batch.
    """
    return LetterProducer(
        bootstrap_servers=settings.kafka,
        acks="all",
        compression_type="zstd",
        max_request_size=2 * settings.largest_batch_bytes,
        metadata_max_age_ms=int(settings.metadata_max_age_s * 1000),
    )
