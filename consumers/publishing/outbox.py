"""Records on their way into Kafka: in order, acknowledged by all replicas, once where brokers can. Drops none."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    UnknownError,
    UnsupportedVersionError,
)
from aiokafka.structs import RecordMetadata

from consumers.kafka.topics import EVENTS_MAX_MESSAGE_BYTES
from consumers.publishing.acknowledgements import Acknowledged
from consumers.publishing.ndjson import EVENT_HEADERS, Record
from consumers.settings import ConsumerSettings

ACKNOWLEDGED_WITHIN_S = 60.0
"""Longest wait for one acknowledgement. An idempotent producer retries for ever; a minute outlives an election."""

STOPPED_WITHIN_S = 5.0
"""Longest wait for the producer's end: with the broker gone it would never come."""

BATCH_BYTES = 262_144
"""Bytes a partition's batch grows to under load: some 500 events a request instead of 30 with the default of 16 KiB."""

LINGER_MS = 5
"""A batch waits this long to fill: nothing to a person, and ten times fewer requests at moderate rates."""

NOT_IDEMPOTENT = (UnknownError, UnsupportedVersionError, IncompatibleBrokerVersion, ClusterAuthorizationFailedError)
"""How brokers say that they have no idempotent producers: Tansu, ancient Kafka, and one whose ACLs forbid it."""


class NotAcknowledged(Exception):
    """Kafka didn't confirm a record, and it may or may not be in the topic: publish the rest again, once it is well."""


class Outbox:
    """Sends records in order. Events and catalogue records are never on their way at once: each waits for the other.

    How many are on their way is bounded by the producer, which holds one open batch a partition.
    """

    def __init__(self, producer: AIOKafkaProducer, events_topic: str, catalogue_topic: str) -> None:
        self._producer = producer
        self._topics = {True: events_topic, False: catalogue_topic}
        self._under_way: deque[asyncio.Future[RecordMetadata]] = deque()
        self._sending_events = True
        self.events = 0
        """Events acknowledged."""
        self.entries = 0
        """Catalogue records acknowledged."""
        self.acknowledged = Acknowledged()

    async def send(self, record: Record) -> None:
        """Takes the record; it is on its way when this returns. Raises NotAcknowledged when an earlier one failed."""
        if record.is_event != self._sending_events:
            await self.flush()
            self._sending_events = record.is_event
        sending = self._producer.send(
            self._topics[record.is_event],
            key=record.key,
            value=record.value,
            headers=_headers(record),
            timestamp_ms=record.timestamp_ms,
        )
        try:
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes together with the result.
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
                self._under_way.append(await sending)
        except TimeoutError:
            raise _silence() from None
        except KafkaError as error:
            raise _unacknowledged(f"{error}") from error
        while self._under_way and self._under_way[0].done():
            await self._settle()

    async def flush(self) -> None:
        """Returns when everything sent is acknowledged. Raises NotAcknowledged."""
        while self._under_way:
            await self._settle()

    def abandon(self) -> None:
        """Forgets what isn't acknowledged; for the end, when the failure has been said."""
        for sent in self._under_way:
            if not sent.cancel():
                sent.exception()  # asyncio complains about failures that nobody looked at
        self._under_way.clear()

    async def _settle(self) -> None:
        first = self._under_way[0]
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
                sent = await asyncio.shield(first)
        except TimeoutError:
            raise _silence() from None
        except KafkaError as error:
            raise _unacknowledged(f"{error}") from error
        del self._under_way[0]
        self.acknowledged.add(self._topics[self._sending_events], sent.partition, sent.offset)
        if self._sending_events:
            self.events += 1
        else:
            self.entries += 1


@asynccontextmanager
async def open_outbox(settings: ConsumerSettings, say: Callable[[str], None]) -> AsyncIterator[Outbox]:
    """An outbox with its own producer; says so when the broker lets it repeat a record. Raises KafkaError."""
    try:
        producer = await _started(settings, idempotent=True)
    except NOT_IDEMPOTENT:
        producer = await _started(settings, idempotent=False)
        say("this broker has no idempotent producer: after a lost connection a record may be in the topic twice")
    outbox = Outbox(producer, settings.events_topic, settings.catalogue_topic)
    try:
        yield outbox
    finally:
        await _stop(producer)
        outbox.abandon()


async def _started(settings: ConsumerSettings, *, idempotent: bool) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        acks="all",
        enable_idempotence=idempotent,
        max_batch_size=BATCH_BYTES,
        max_request_size=EVENTS_MAX_MESSAGE_BYTES,
        linger_ms=LINGER_MS,
    )
    try:
        async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
            await producer.start()
    except BaseException:
        await _stop(producer)
        raise
    return producer


async def _stop(producer: AIOKafkaProducer) -> None:
    """Ends the producer, and waits for that only so long: what isn't acknowledged by now has been said."""
    stopping = asyncio.ensure_future(producer.stop())
    await asyncio.wait({stopping}, timeout=STOPPED_WITHIN_S)
    if stopping.cancel():
        await asyncio.wait({stopping})
    elif not stopping.cancelled():
        stopping.exception()  # with the brokers gone it ends as it likes


def _headers(record: Record) -> list[tuple[str, bytes | None]] | None:
    if record.headers is not None:
        return list(record.headers)
    return list(EVENT_HEADERS) if record.is_event else None


def _silence() -> NotAcknowledged:
    return _unacknowledged(f"no acknowledgement for {ACKNOWLEDGED_WITHIN_S:g} s")


def _unacknowledged(problem: str) -> NotAcknowledged:
    return NotAcknowledged(f"Kafka didn't confirm a record ({problem}); it may or may not be in the topic")
