"""The Kafka clients of the consumer, each with the defaults changed that would lose, skip or repeat records."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from consumers.settings import Settings
from consumers.topics import DEAD_LETTER_MAX_MESSAGE_BYTES, EVENTS_MAX_MESSAGE_BYTES

FETCH_BYTES = 2 * EVENTS_MAX_MESSAGE_BYTES
"""Per partition and fetch: no record that the topic takes is larger."""

REBALANCE_TIMEOUT_MS = 30_000
"""A round that waits for Redis must not cost the partitions; aiokafka's 10 s would."""

POLL_INTERVAL_MS = 24 * 3_600 * 1_000
"""The loop may wait for Redis as long as it takes; a hung loop is found by its missing heartbeats."""


def events_consumer(settings: Settings) -> AIOKafkaConsumer:
    """A member of the group, without a topic yet. Positions are the store's alone."""
    return AIOKafkaConsumer(
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


def events_reader(settings: Settings) -> AIOKafkaConsumer:
    """A reader of the events from any offset, outside of any group. It never jumps over what is no longer there."""
    return _reader(settings, start="none")


def catalogue_consumer(settings: Settings) -> AIOKafkaConsumer:
    """A reader of the whole catalogue, outside of any group."""
    return _reader(settings, start="earliest")


def _reader(settings: Settings, start: str) -> AIOKafkaConsumer:
    """Outside of any group; `start` says where to go on where an offset isn't there."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        auto_offset_reset=start,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_BYTES,
        metadata_max_age_ms=int(settings.metadata_max_age_s * 1000),
    )


def dead_letter_producer(settings: Settings) -> AIOKafkaProducer:
    """Sends what can't be applied; a letter counts as sent when every in-sync replica has it."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        acks="all",
        max_request_size=DEAD_LETTER_MAX_MESSAGE_BYTES,
        metadata_max_age_ms=int(settings.metadata_max_age_s * 1000),
    )
