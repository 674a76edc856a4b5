"""The three topics against a real broker: made once, as the promises need them, and never changed."""

import asyncio
import re

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError

from consumers.errors import TopicsUnusable
from consumers.kafka.topic_metadata import describe_topics
from consumers.kafka.topics import (
    DEAD_LETTER_MAX_MESSAGE_BYTES,
    EVENTS_MAX_MESSAGE_BYTES,
    MAX_EVENT_BYTES,
    ensure_topics,
    new_topics,
    topic_ids,
)
from consumers.settings import ConsumerSettings
from tests.servers.choice import Choice
from tests.servers.kafka.topics import Topics
from tests.servers.ports import free_port
from tests.support.waiting import wait_until

KAFKA_ID = re.compile(r"[A-Za-z0-9_-]{22}")


@pytest.fixture
def settings(kafka: str, topics: Topics) -> ConsumerSettings:
    return ConsumerSettings(
        kafka=kafka,
        events_topic=topics.events,
        catalogue_topic=topics.catalogue,
        dead_letter_topic=topics.dead_letters,
        partitions=3,
    )


@pytest.fixture
def apache_kafka(kafka_choice: Choice) -> None:
    if kafka_choice.way == "embedded":
        pytest.skip("the embedded broker doesn't keep this rule of Apache Kafka")


async def make_topic(kafka: str, name: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await admin.start()
        await admin.create_topics([NewTopic(name=name, num_partitions=partitions, replication_factor=1)])
    finally:
        await admin.close()


REMOVED_S = 20.0
"""A broker names a topic for a moment after it has agreed to remove it."""


async def remove_topic(kafka: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await admin.start()
        await admin.delete_topics([name])
    finally:
        await admin.close()

    async def is_gone() -> bool:
        return name not in await describe_topics(kafka, [name])

    await wait_until(is_gone, REMOVED_S, f"topic {name} to be gone")


async def configuration(kafka: str, topic: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await admin.start()
        (response,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    return {name: value for name, value, *_ in response.resources[0][4]}


async def produce(kafka: str, topic: str, value: bytes, headers: list[tuple[str, bytes]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", max_request_size=32 * MAX_EVENT_BYTES)
    try:
        await producer.start()
        await producer.send_and_wait(topic, value, key=b"t/1", headers=headers)
    finally:
        await producer.stop()


async def test_absent_topics_are_made_with_leaders(settings: ConsumerSettings) -> None:
    await ensure_topics(settings)
    described = await describe_topics(
        settings.kafka, [settings.events_topic, settings.catalogue_topic, settings.dead_letter_topic]
    )
    assert {name: topic.partitions for name, topic in described.items()} == {
        settings.events_topic: 3,
        settings.catalogue_topic: 1,
        settings.dead_letter_topic: 1,
    }
    assert all(topic.has_leaders for topic in described.values())


@pytest.mark.usefixtures("apache_kafka")
async def test_topics_keep_what_the_promises_need(settings: ConsumerSettings) -> None:
    await ensure_topics(settings)
    events = await configuration(settings.kafka, settings.events_topic)
    catalogue = await configuration(settings.kafka, settings.catalogue_topic)
    dead = await configuration(settings.kafka, settings.dead_letter_topic)
    for kept in (events, dead):
        assert (kept["cleanup.policy"], kept["retention.ms"], kept["retention.bytes"]) == ("delete", "-1", "-1")
    assert catalogue["cleanup.policy"] == "compact"
    assert int(catalogue["delete.retention.ms"]) == 30 * 86_400_000
    sizes = [int(topic["max.message.bytes"]) for topic in (events, catalogue, dead)]
    assert sizes == [EVENTS_MAX_MESSAGE_BYTES, EVENTS_MAX_MESSAGE_BYTES, DEAD_LETTER_MAX_MESSAGE_BYTES]


@pytest.mark.usefixtures("apache_kafka")
async def test_the_largest_event_that_gets_in_fits_as_a_dead_letter_with_its_headers(
    settings: ConsumerSettings,
) -> None:
    await ensure_topics(settings)
    largest = b"x" * (EVENTS_MAX_MESSAGE_BYTES - 200)
    assert len(largest) > MAX_EVENT_BYTES
    await produce(settings.kafka, settings.events_topic, largest, [])
    with pytest.raises(MessageSizeTooLargeError):
        await produce(settings.kafka, settings.events_topic, largest + b"x" * 200, [])
    await produce(settings.kafka, settings.dead_letter_topic, largest, [("reason", b"r" * 100_000)])


async def test_many_processes_may_ask_at_once(settings: ConsumerSettings) -> None:
    await asyncio.gather(*(ensure_topics(settings) for _ in range(5)))
    assert (await describe_topics(settings.kafka, [settings.events_topic]))[settings.events_topic].partitions == 3


async def known_ids(settings: ConsumerSettings, names: list[str]) -> dict[str, str]:
    """Their ids, once the broker has heard of all of them."""

    async def known() -> dict[str, str] | None:
        ids = await topic_ids(settings.kafka, names)
        return ids if len(ids) == len(names) else None

    found = await wait_until(known, 10, f"{names} to be known")
    assert found is not None
    return found


async def test_a_topic_that_exists_stays_as_it_is(settings: ConsumerSettings) -> None:
    await make_topic(settings.kafka, settings.events_topic, 2)
    before = await known_ids(settings, [settings.events_topic])
    await ensure_topics(settings)
    assert (await describe_topics(settings.kafka, [settings.events_topic]))[settings.events_topic].partitions == 2
    assert await topic_ids(settings.kafka, [settings.events_topic]) == before


async def test_a_catalogue_of_several_partitions_is_refused(settings: ConsumerSettings) -> None:
    await make_topic(settings.kafka, settings.catalogue_topic, 2)
    with pytest.raises(TopicsUnusable, match=f"{settings.catalogue_topic} has 2 partitions and needs exactly 1"):
        await ensure_topics(settings)


@pytest.mark.usefixtures("apache_kafka")
async def test_more_copies_than_brokers_are_refused_by_name(settings: ConsumerSettings) -> None:
    greedy = settings.model_copy(update={"replication_factor": 9})
    with pytest.raises(TopicsUnusable, match=f"topic {settings.events_topic} can't be created: .*replicat"):
        await ensure_topics(greedy)


async def test_topic_ids_differ_stay_and_change_with_a_topic_made_anew(settings: ConsumerSettings) -> None:
    names = [settings.events_topic, settings.catalogue_topic]
    await ensure_topics(settings)
    first = await known_ids(settings, names)
    assert await topic_ids(settings.kafka, names) == first
    assert all(KAFKA_ID.fullmatch(topic_id) for topic_id in first.values())
    assert len(set(first.values())) == 2
    await remove_topic(settings.kafka, settings.events_topic)
    await ensure_topics(settings)
    second = await known_ids(settings, names)
    assert second[settings.events_topic] != first[settings.events_topic]
    assert second[settings.catalogue_topic] == first[settings.catalogue_topic]


async def test_asking_for_an_absent_topic_makes_none(settings: ConsumerSettings) -> None:
    assert await topic_ids(settings.kafka, [settings.events_topic]) == {}
    assert await describe_topics(settings.kafka, [settings.events_topic]) == {}


async def test_without_a_broker_the_caller_is_told() -> None:
    with pytest.raises(KafkaConnectionError):
        await ensure_topics(ConsumerSettings(kafka=f"127.0.0.1:{free_port()}"))


async def test_an_invalid_name_is_an_error_of_kafka(kafka: str) -> None:
    with pytest.raises(KafkaError):
        await describe_topics(kafka, ["not/a/topic"])


@pytest.mark.parametrize(("asked", "brokers", "copies"), [(0, 1, 1), (0, 2, 2), (0, 3, 3), (0, 9, 3), (2, 3, 2)])
def test_copies_follow_the_brokers_unless_set(asked: int, brokers: int, copies: int) -> None:
    made = new_topics(ConsumerSettings(replication_factor=asked), brokers).values()
    assert {topic.replication_factor for topic in made} == {copies}
    assert all(("min.insync.replicas" in topic.topic_configs) == (copies >= 3) for topic in made)
