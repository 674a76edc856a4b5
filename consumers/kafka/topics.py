"""The three topics: made if absent, with what each needs to keep the promises. Never changes one that exists."""

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
"""A record with a larger value is a dead letter (the contract's 1 MiB)."""

EVENTS_MAX_MESSAGE_BYTES = 2 * MAX_EVENT_BYTES
"""Largest batch the events and catalogue topics take. Kafka counts value, key, headers and 80 bytes around them, so a
legal event needs more than 1 MiB; and one over the limit should get in and be dead-lettered where people look, rather
than fail in a publisher that may drop it."""

DEAD_LETTER_MAX_MESSAGE_BYTES = 8 * EVENTS_MAX_MESSAGE_BYTES
"""Largest batch of dead letters. Whatever got in must fit beside `reason`, `topic`, `partition` and `offset`. Letters
go out packed; one whose record came by a better codec is larger than it was, and this leaves room."""

MOST_COPIES = 3
"""Copies when the setting leaves it open: with 3, one broker may be lost and `acks=all` still means two disks."""

TOMBSTONES_KEPT_MS = 30 * 24 * 3_600 * 1_000
"""How long a removal stays in the compacted catalogue: a consumer switched off for less still learns of it. Kafka's own
24 h would be over before a weekend is."""

CREATE_TIMEOUT_MS = 15_000
"""Longest wait for brokers to make a topic; in a busy cluster it takes seconds."""

LEADERS_TIMEOUT_S = 30.0
"""Longest wait for new partitions to get leaders; above what electing takes after a broker was lost."""

LEADERS_POLL_S = 0.1

UNLIMITED = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


async def ensure_topics(settings: ConsumerSettings) -> None:
    """Makes those of the three topics that are absent, and returns when every partition of all has a leader.

    Safe to call from many processes at once. Topics that exist keep their configuration.
    Raises TopicsUnusable, and KafkaError (KafkaConnectionError when no broker answers).
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
    """The id of every topic that the broker asked knows: it changes when a topic is made anew under the same name.

    "" from a broker that gives none. Raises KafkaError.
    """
    described = await describe_topics(bootstrap, topics)
    return {topic: found.id for topic, found in described.items()}


def new_topics(settings: ConsumerSettings, brokers: int) -> dict[str, NewTopic]:
    """What each of the three topics is made as in a cluster of so many brokers, by name."""
    copies = settings.replication_factor or min(MOST_COPIES, brokers)
    # Without this a write counts as safe with a single copy left; with fewer than 3 copies it would stop at one loss.
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
        if error not in (NoError, TopicAlreadyExistsError):  # another process was quicker: as good
            raise TopicsUnusable(f"topic {name} can't be made: {(reason and reason[0]) or error.__name__}")


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
