"""Reads the whole catalogue topic and has every change synced to the store. Never touches tickets."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.catalogue_sync.catalogue_log import CatalogueLog, Touched
from consumers.catalogue_sync.sync import CatalogueSync
from consumers.dead_letters.sender import DeadLetters
from consumers.errors import ForeignTopic
from consumers.fetching.batches import Read
from consumers.fetching.flawed import FlawedRecord
from consumers.kafka_errors import RETRIED
from consumers.retrying import Retrying
from service.domain.catalogue.catalogue import EntryError
from service.domain.catalogue.entry_key import EntryKey, parse_key
from service.domain.tenants.entry_limits import BEYOND_LIMITS
from service.store.ports.catalogue import CatalogueStore, Position
from service.turns import Turns

log = structlog.get_logger()

T = TypeVar("T")

POLL_MS = 200
"""Longest wait for records in one poll."""

CATCH_UP_S = 30.0
"""Longest wait of a step for the topic's end, when it needs a tenant without a record. Then the step is retried."""


class CatalogueReader:
    """Reads the topic's single partition from its start, for ever, and dead-letters invalid records."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        topic: str,
        catalogue: CatalogueLog,
        catalogue_sync: CatalogueSync,
        store: CatalogueStore,
        dead_letters: DeadLetters,
        retrying: Retrying | None = None,
    ) -> None:
        self._consumer = consumer
        self._partition = TopicPartition(topic, 0)
        self._catalogue = catalogue
        self._catalogue_sync = catalogue_sync
        self._store = store
        self._dead_letters = dead_letters
        self._retrying = retrying or Retrying("catalogue")
        self._position = 0
        self._moved = asyncio.Condition()
        self._has_synced_all = False
        self._fresh: dict[EntryKey, Read] = {}
        """Valid new records, by key, until the sync has checked them against the tenant's limits."""
        self.readable = asyncio.Event()
        """Set once the topic was read to its end and synced to the store."""

    async def run(self) -> None:
        """Reads for ever. Raises ForeignTopic, Flood, and errors that no retry fixes."""
        validated_offset = await self._again_until_done(self._store.validated_offset)
        await self._again_until_done(lambda: self._consumer.seek_to_beginning(self._partition))
        expected = 0
        while True:
            records: Sequence[Read] = ()
            try:
                records = (await self._consumer.getmany(timeout_ms=POLL_MS)).get(self._partition, ())
                self._check_goes_on(records[0].offset if records else expected, expected)
                await self._take(records, validated_offset)
                await self._dead_letters.acknowledged()
                position = await self._consumer.position(self._partition)
                self._check_goes_on(position, expected)
                if position > self._position or not self.readable.is_set():
                    await self._reached(position)
                expected = position
                self._retrying.succeeded()
            except RETRIED as error:
                if records:  # to take the same records again is harmless
                    self._consumer.seek(self._partition, records[0].offset)
                await self._retrying.pause(error)

    def _check_goes_on(self, offset: Position, expected: Position) -> None:
        """Raises ForeignTopic when the client went back to a lower offset by itself."""
        if offset < expected:
            raise ForeignTopic(
                f"topic {self._partition.topic} starts again: it was truncated or created again while it was read"
            )

    async def catch_up(self) -> None:
        """Waits until every record that the topic had at the time of the call is synced to the store.

        Raises TimeoutError after `CATCH_UP_S`, and KafkaError when the broker can't say where the end is.
        """
        async with asyncio.timeout(CATCH_UP_S):
            end = await self._end()
            async with self._moved:
                await self._moved.wait_for(lambda: self._position >= end)

    async def _end(self) -> int:
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets([self._partition])
        return ends[self._partition]

    async def _take(self, records: Sequence[Read], validated_offset: Position) -> None:
        """Takes the records of one poll, then syncs their changes together, so that each tenant is compiled once."""
        touched, turns = Touched(), Turns()
        for record in records:
            try:
                if isinstance(record, FlawedRecord):
                    self._catalogue.reject(record.key)
                    raise EntryError(record.flaw)
                touched |= self._catalogue.take(record.offset, record.key, record.value)
                if record.offset >= validated_offset:
                    self._fresh[parse_key(record.key)] = record
            except EntryError as error:
                if record.offset >= validated_offset:
                    await self._dead_letters.park(record, str(error))
            if touched.is_removal:
                touched = await self._synced(touched)
            if turns.over:
                await turns.next()
        await self._synced(touched)

    async def _synced(self, touched: Touched) -> Touched:
        """Syncs the changes and returns an empty `Touched`. Before the first full sync it syncs none:

        that one stores every entry."""
        if self._has_synced_all:
            await self._again_until_done(lambda: self._catalogue_sync.sync(touched))
            await self._park_refused()
        return Touched()

    async def _park_refused(self) -> None:
        for key, record in self._fresh.items():
            if (key.kind, key.id) in self._catalogue_sync.refused.get(key.tenant or "", ()):
                await self._dead_letters.park(record, f"{key.kind}: {BEYOND_LIMITS}")
        self._fresh.clear()

    async def _reached(self, position: int) -> None:
        """Stores the position after a poll. When the topic's end is reached first, syncs the whole catalogue."""
        if not self._has_synced_all and position >= await self._end():
            await self._again_until_done(self._catalogue_sync.sync_all)
            self._has_synced_all = True
            await self._park_refused()
            await self._dead_letters.acknowledged()
        self._catalogue_sync.validated_offset = position
        if self._has_synced_all:
            await self._again_until_done(lambda: self._store.set_validated_offset(position))
            async with self._moved:
                self._position = position
                self._moved.notify_all()
            if not self.readable.is_set():
                log.info("catalogue read", position=position)
                self.readable.set()

    async def _again_until_done(self, call: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                result = await call()
            except RETRIED as error:
                await self._retrying.pause(error)
            else:
                self._retrying.succeeded()
                return result
