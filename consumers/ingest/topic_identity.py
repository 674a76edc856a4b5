"""Checks that the topics are the ones that the store's offsets belong to. Never accepts a new topic by itself.

A topic that was deleted and created again under its name has a new id and new offsets. The consumers refuse it until an
operator accepts its id in TICKET_COUNTS_ACCEPT_TOPIC_ID.
"""

import msgspec
import structlog
from aiokafka.errors import UnknownTopicOrPartitionError

from consumers.backoff import before_redoing
from consumers.errors import ForeignTopic
from consumers.kafka.topics import topic_ids
from consumers.settings import ConsumerSettings
from service.store.ports.catalogue import CatalogueStore, StoredTenant
from service.store.ports.steps import EventStore, OffsetStore
from service.store.random_id import new_random_id

log = structlog.get_logger()

NO_VERSION = -1
"""Below every offset, so that every catalogue entry is newer."""


class TopicIds(msgspec.Struct, frozen=True):
    """Ids of the events and catalogue topics; a topic's name when the broker has no ids."""

    events: str
    catalogue: str


async def current_ids(settings: ConsumerSettings) -> TopicIds:
    """Returns the current ids of the topics. Raises KafkaError, also when a topic doesn't exist."""
    names = (settings.events_topic, settings.catalogue_topic)
    ids = await topic_ids(settings.kafka, names)
    for name in names:
        if name not in ids:  # created or deleted just now, and this broker's metadata is older
            raise UnknownTopicOrPartitionError(name)
    return TopicIds(*(ids[name] or name for name in names))


async def check_same(settings: ConsumerSettings, known: TopicIds) -> None:
    """Raises ForeignTopic when a topic isn't the one that this process started with. Raises KafkaError."""
    current = await current_ids(settings)
    if current.events != known.events:
        raise _foreign(settings.events_topic, known.events, current.events)
    if current.catalogue != known.catalogue:
        raise _foreign(settings.catalogue_topic, known.catalogue, current.catalogue)


async def check_store(settings: ConsumerSettings, store: OffsetStore, current: TopicIds) -> None:
    """Raises ForeignTopic when the store's offsets belong to other topics and the new ones aren't accepted."""
    await _check_events(settings, store, current.events)
    await _check_catalogue(settings, store, current.catalogue)


async def _check_events(settings: ConsumerSettings, store: EventStore, current: str) -> None:
    states = await store.states(range(settings.buckets))
    foreign = {bucket: state.topic for bucket, state in states.items() if state.topic not in ("", current)}
    if not foreign:
        return
    if current not in settings.accepted_topics:
        raise _foreign(settings.events_topic, next(iter(foreign.values())), current)
    for bucket in foreign:
        await store.adopt_topic(bucket, current)
    log.warning("events topic accepted", topic_id=current)


async def _check_catalogue(settings: ConsumerSettings, store: CatalogueStore, current: str) -> None:
    known = await store.catalogue_topic()
    if known == current:
        return
    if known and current not in settings.accepted_topics:
        raise _foreign(settings.catalogue_topic, known, current)
    if known:
        await store.forget_catalogue_offsets()
        for bucket in range(settings.buckets):
            for name in await store.tenants(bucket):
                await _make_older(store, name)
        log.warning("catalogue topic accepted", topic_id=current)
    await store.set_catalogue_topic(current)


async def _make_older(store: CatalogueStore, name: str) -> None:
    """Makes a tenant's record older than every catalogue entry."""
    redoing = before_redoing()
    while (stored := await store.tenant(name)) is not None:
        record = msgspec.structs.replace(stored.record, version=NO_VERSION)
        if record.pending_version is not None:
            record = msgspec.structs.replace(record, pending_version=NO_VERSION)
        if await store.put_tenant(
            name, stored.record_version, StoredTenant(new_random_id(), stored.generation, record)
        ):
            return
        await redoing.pause()


def _foreign(topic: str, known: str, current: str) -> ForeignTopic:
    return ForeignTopic(
        f"topic {topic} was made anew: the store's offsets are of the one with id {known}. "
        f"Set TICKET_COUNTS_ACCEPT_TOPIC_ID={current} to read the new one from its start"
    )
