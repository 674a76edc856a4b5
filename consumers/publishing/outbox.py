"""Sends records to Kafka in order, acknowledged by all replicas, idempotently if possible. Never drops a record."""

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
"""Longest wait for one acknowledgement. An idempotent producer retries forever; a leader election takes less."""

STOPPED_WITHIN_S = 5.0
"""Longest wait for the producer to stop: without a broker it would never stop."""

BATCH_BYTES = 262_144
"""Largest batch of a partition: some 500 events per request, instead of 30 with the default of 16 KiB."""

LINGER_MS = 5
"""Wait for a batch to fill: unnoticeable for people, and ten times fewer requests at moderate rates."""

NOT_IDEMPOTENT = (UnknownError, UnsupportedVersionError, IncompatibleBrokerVersion, ClusterAuthorizationFailedError)
"""Errors of brokers without idempotent producers: Tansu, old Kafka versions, and Kafka whose ACLs forbid them."""


class NotAcknowledged(Exception):
    """Kafka didn't confirm a record, which may be in the topic or not: publish again from there once Kafka is back."""


class Outbox:
    """Sends records in order. Before a switch between events and catalogue records, it waits for all acknowledgements.

    The producer bounds the unacknowledged records: it holds one open batch for each partition.
    """

    def __init__(self, producer: AIOKafkaProducer, events_topic: str, catalogue_topic: str) -> None:
        self._producer = producer
        self._topics = {True: events_topic, False: catalogue_topic}
        self._unacknowledged: deque[asyncio.Future[RecordMetadata]] = deque()
        self._sending_events = True
        self.events = 0
        """Events acknowledged."""
        self.entries = 0
        """Catalogue records acknowledged."""
        self.acknowledged = Acknowledged()

    async def send(self, record: Record) -> None:
        """Hands the record to the producer. Raises NotAcknowledged, also for an earlier record."""
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
                self._unacknowledged.append(await sending)
        except TimeoutError:
            raise _timed_out() from None
        except KafkaError as error:
            raise _not_acknowledged(f"{error}") from error
        while self._unacknowledged and self._unacknowledged[0].done():
            await self._settle()

    async def flush(self) -> None:
        """Waits until all sent records are acknowledged. Raises NotAcknowledged."""
        while self._unacknowledged:
            await self._settle()

    def abandon(self) -> None:
        """Forgets unacknowledged records. For the exit, after the failure was reported."""
        for sent in self._unacknowledged:
            if not sent.cancel():
                sent.exception()  # retrieve it, or asyncio logs it as never retrieved
        self._unacknowledged.clear()

    async def _settle(self) -> None:
        first = self._unacknowledged[0]
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
                sent = await asyncio.shield(first)
        except TimeoutError:
            raise _timed_out() from None
        except KafkaError as error:
            raise _not_acknowledged(f"{error}") from error
        del self._unacknowledged[0]
        self.acknowledged.add(self._topics[self._sending_events], sent.partition, sent.offset)
        if self._sending_events:
            self.events += 1
        else:
            self.entries += 1


@asynccontextmanager
async def open_outbox(settings: ConsumerSettings, say: Callable[[str], None]) -> AsyncIterator[Outbox]:
    """Opens an outbox with its own producer. Warns when the broker can't prevent duplicates. Raises KafkaError."""
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
    """Stops the producer, and waits at most STOPPED_WITHIN_S: missing acknowledgements are already reported."""
    stopping = asyncio.ensure_future(producer.stop())
    await asyncio.wait({stopping}, timeout=STOPPED_WITHIN_S)
    if stopping.cancel():
        await asyncio.wait({stopping})
    elif not stopping.cancelled():
        stopping.exception()  # without brokers it may fail in any way


def _headers(record: Record) -> list[tuple[str, bytes | None]] | None:
    if record.headers is not None:
        return list(record.headers)
    return list(EVENT_HEADERS) if record.is_event else None


def _timed_out() -> NotAcknowledged:
    return _not_acknowledged(f"no acknowledgement for {ACKNOWLEDGED_WITHIN_S:g} s")


def _not_acknowledged(problem: str) -> NotAcknowledged:
    return NotAcknowledged(f"Kafka didn't confirm a record ({problem}); it may or may not be in the topic")
