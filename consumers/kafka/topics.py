"""Creates the three topics if absent, with the configuration that they need. Never changes an existing topic."""

import asyncio
import time
from collections.abc import Collection, Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from consumers.errors import TopicsUnusable
from consumers.kafka.closing import closed
from consumers.kafka.topic_metadata import TopicMetadata, describe_topics
from consumers.settings import ConsumerSettings

MAX_EVENT_BYTES = 1_048_576
"""The contract's limit of 1 MiB: a record with a larger value is a dead letter."""

EVENTS_MAX_MESSAGE_BYTES = 2 * MAX_EVENT_BYTES
"""Largest batch that the events and catalogue topics accept. Kafka counts value, key, headers and 80 bytes of overhead,
so a legal event needs more than 1 MiB. An event over the limit should become a dead letter, which operators see, rather
than fail in a publisher that may drop it."""

DEAD_LETTER_MAX_MESSAGE_BYTES = 8 * EVENTS_MAX_MESSAGE_BYTES
"""Largest batch of dead letters. Every accepted record must fit, with the headers `reason`, `topic`, `partition` and
`offset`. Letters are compressed; the extra room is for a record whose original codec compressed better."""

MOST_COPIES = 3
"""Default replication factor: after the loss of one of 3 brokers, `acks=all` still means two disks."""

TOMBSTONES_KEPT_MS = 30 * 24 * 3_600 * 1_000
"""How long a removal stays in the compacted catalogue: a consumer that is off for less still reads it. Kafka's default
of 24 h is shorter than a weekend."""

CREATE_TIMEOUT_MS = 15_000
"""Longest wait for brokers to create a topic; in a busy cluster it takes seconds."""

LEADERS_TIMEOUT_S = 30.0
"""Longest wait for new partitions to get leaders; longer than an election after the loss of a broker."""

LEADERS_POLL_S = 0.1

UNLIMITED = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


async def ensure_topics(settings: ConsumerSettings) -> None:
    """Creates the absent topics, and returns when every partition of all three topics has a leader.

    Safe to call from many processes at once. Existing topics keep their configuration. Raises TopicsUnusable, and
    KafkaError (KafkaConnectionError when no broker answers).
    """
    names = (settings.events_topic, settings.catalogue_topic, settings.dead_letter_topic)
    present = await describe_topics(settings.kafka, names)
    absent = [name for name in names if name not in present]
    if absent:
        await _create(settings, absent)
    described = await _with_leaders(settings.kafka, names)
    catalogue = described[settings.catalogue_topic]
    if catalogue.partitions != 1:
        raise TopicsUnusable(
            f"topic {settings.catalogue_topic} has {catalogue.partitions} partitions and needs exactly 1: "
            "offsets in it are the catalogue's versions"
        )


async def topic_ids(bootstrap: str, topics: Collection[str]) -> dict[str, str]:
    """Returns the ids of the topics that exist; "" when the broker has no topic ids. Raises KafkaError.

    A topic that was deleted and created again under the same name has a new id.
    """
    described = await describe_topics(bootstrap, topics)
    return {topic: found.id for topic, found in described.items()}


def new_topics(settings: ConsumerSettings, brokers: int) -> dict[str, NewTopic]:
    """Returns the specifications of the three topics by name, for a cluster with this many brokers."""
    copies = settings.replication_factor or min(MOST_COPIES, brokers)
    # Without min.insync.replicas a write with a single replica left counts as safe. With fewer than 3 replicas, it
    # would block writes after the loss of one broker.
    durable = {"min.insync.replicas": "2"} if copies >= MOST_COPIES else {}
    wide = {"max.message.bytes": str(EVENTS_MAX_MESSAGE_BYTES)}
    compacted = {"cleanup.policy": "compact", "delete.retention.ms": str(TOMBSTONES_KEPT_MS)}
    widest = {"max.message.bytes": str(DEAD_LETTER_MAX_MESSAGE_BYTES)}
    topics = (
        _topic(settings.events_topic, settings.partitions, copies, {**UNLIMITED, **wide, **durable}),
        _topic(settings.catalogue_topic, 1, copies, {**compacted, **wide, **durable}),
        _topic(settings.dead_letter_topic, 1, copies, {**UNLIMITED, **widest, **durable}),
    )
    return {topic.name: topic for topic in topics}


def _topic(name: str, partitions: int, copies: int, configs: Mapping[str, str]) -> NewTopic:
    return NewTopic(name=name, num_partitions=partitions, replication_factor=copies, topic_configs=dict(configs))


async def _create(settings: ConsumerSettings, names: Collection[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka, request_timeout_ms=2 * CREATE_TIMEOUT_MS)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
        topics = new_topics(settings, len(cluster["brokers"]))
        response = await admin.create_topics([topics[name] for name in names], timeout_ms=CREATE_TIMEOUT_MS)
    finally:
        await closed(admin.close())
    for name, code, *reason in response.topic_errors:
        error: type[KafkaError] = for_code(code)
        if error not in (NoError, TopicAlreadyExistsError):  # another process may create it at the same time
            raise TopicsUnusable(f"topic {name} can't be created: {(reason and reason[0]) or error.__name__}")


async def _with_leaders(bootstrap: str, names: Collection[str]) -> Mapping[str, TopicMetadata]:
    give_up = time.monotonic() + LEADERS_TIMEOUT_S
    while True:
        described = await describe_topics(bootstrap, names)
        leaderless = [name for name in names if name not in described or not described[name].has_leaders]
        if not leaderless:
            return described
        if time.monotonic() > give_up:
            raise TopicsUnusable(f"no leaders for topic {', '.join(leaderless)} after {LEADERS_TIMEOUT_S:.0f} s")
        await asyncio.sleep(LEADERS_POLL_S)
