"""Whether topics are the ones that the store's offsets are of: one made anew under an old name has others.

Refused until an operator has said so, by the id of exactly that topic.
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
"""Before every offset: whatever the catalogue says is newer."""


class TopicIds(msgspec.Struct, frozen=True):
    """Ids of the two topics whose offsets are in the store; a topic's name where the broker gives none."""

    events: str
    catalogue: str


async def current_ids(settings: ConsumerSettings) -> TopicIds:
    """The ids that the topics have now. Raises KafkaError, also while one of them isn't there."""
    names = (settings.events_topic, settings.catalogue_topic)
    ids = await topic_ids(settings.kafka, names)
    for name in names:
        if name not in ids:  # made or removed a moment ago, and this broker hasn't heard all of it
            raise UnknownTopicOrPartitionError(name)
    return TopicIds(*(ids[name] or name for name in names))


async def check_same(settings: ConsumerSettings, known: TopicIds) -> None:
    """Raises ForeignTopic when a topic isn't the one that this process began with, and KafkaError."""
    current = await current_ids(settings)
    if current.events != known.events:
        raise _foreign(settings.events_topic, known.events, current.events)
    if current.catalogue != known.catalogue:
        raise _foreign(settings.catalogue_topic, known.catalogue, current.catalogue)


async def check_store(settings: ConsumerSettings, store: OffsetStore, current: TopicIds) -> None:
    """Raises ForeignTopic when the store has offsets of other topics and nobody has accepted the new ones."""
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
    """Has a tenant's record be older than anything that the catalogue says."""
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
