"""Reads the catalogue topic, always all of it, and carries what it says into the store. Knows no ticket."""

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
"""Longest wait for records in one poll: how fast a stop is noticed."""

CATCH_UP_S = 30.0
"""Longest wait for the topic's end before a tenant is called unknown; then the step is tried again."""


class CatalogueReader:
    """Follows the topic's only partition from its start."""

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
        self._carrying = False
        self._fresh: dict[EntryKey, Read] = {}
        """Good records of entries that tenants own, until it is known whether they are within the tenant's limits."""
        self.readable = asyncio.Event()
        """Set once the topic was read to its end and the store has all of it."""

    async def run(self) -> None:
        """Reads for ever. Raises ForeignTopic, and what no retry cures."""
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
                    await self._settle(position)
                expected = position
                self._retrying.well()
            except RETRIED as error:
                if records:  # taking them again in the same order ends the same
                    self._consumer.seek(self._partition, records[0].offset)
                await self._retrying.pause(error)

    def _check_goes_on(self, offset: Position, expected: Position) -> None:
        """Raises ForeignTopic where the client began anew at what is there."""
        if offset < expected:
            raise ForeignTopic(f"topic {self._partition.topic} begins anew: it was cut, or made anew while it was read")

    async def catch_up(self) -> None:
        """Returns when everything that was in the topic at the time of the call is in the store.

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
        """Takes the records of one poll, then carries what they changed together: each tenant is compiled once."""
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
                touched = await self._carried(touched)
            if turns.over:
                await turns.next()
        await self._carried(touched)

    async def _carried(self, touched: Touched) -> Touched:
        """Carries what was touched, and returns that nothing is any more."""
        if self._carrying:
            await self._again_until_done(lambda: self._catalogue_sync.carry(touched))
            await self._park_refused()
        return Touched()

    async def _park_refused(self) -> None:
        for key, record in self._fresh.items():
            if (key.kind, key.id) in self._catalogue_sync.refused.get(key.tenant or "", ()):
                await self._dead_letters.park(record, f"{key.kind}: {BEYOND_LIMITS}")
        self._fresh.clear()

    async def _settle(self, position: int) -> None:
        """After a poll: notes how far it came, and at the first end of the topic brings everything over at once."""
        if not self._carrying and position >= await self._end():
            await self._again_until_done(self._catalogue_sync.everything)
            self._carrying = True
            await self._park_refused()
            await self._dead_letters.acknowledged()
        self._catalogue_sync.validated_offset = position
        if self._carrying:
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
                self._retrying.well()
                return result
