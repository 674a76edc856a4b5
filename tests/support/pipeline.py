"""The consumers' parts wired over any counter store, fed by the test itself: no Kafka, no clock of its own."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consumers.backfill.backfiller import Backfiller
from consumers.backfill.on_demand_columns import OnDemandColumns
from consumers.catalogue_sync.catalogue_log import CatalogueLog, Touched
from consumers.catalogue_sync.sync import CatalogueSync
from consumers.coordination.leases import Leases
from consumers.dead_letters.sender import DeadLetters, FloodGuard
from consumers.engine.away import AwayBuckets
from consumers.engine.batch_processor import BatchProcessor, EventsByBucket, merge
from consumers.engine.event_step import EventStep
from consumers.engine.reevaluation import Reevaluation
from consumers.engine.tenants import Tenants
from consumers.ingest.timers import Timers
from consumers.metrics import ConsumerMetrics
from consumers.types import Goal, Letter
from service.domain.catalogue.catalogue import EntryError
from service.store.ports.counter_store import CounterStore
from service.store.ports.steps import StorePlacement
from tests.oracle.published.records import Record

TOPIC_ID = "events-topic-1"
TIMESTAMP_MS = 1_795_000_000_000
"""Kafka's own time of every record: before any `now` of the tests."""


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """A record as the consumers' Kafka client would hand it out."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp: int = TIMESTAMP_MS
    topic: str = "ticket-events"


@dataclass(slots=True)
class SetClock:
    """A clock that only moves when told to."""

    now: int

    def now_us(self) -> int:
        return self.now


@dataclass(slots=True)
class FakeProducer:
    """Keeps what it is sent. While `failure` is set no record is acknowledged."""

    sent: list[KafkaRecord] = field(default_factory=list)
    failure: Exception | None = None

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        *,
        timestamp_ms: int | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> "asyncio.Future[object]":
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self.failure is not None:
            future.set_exception(self.failure)
            return future
        said, at_ms = dict(headers), TIMESTAMP_MS if timestamp_ms is None else timestamp_ms
        partition, offset = int(said.get("partition") or b"0"), int(said.get("offset") or b"0")
        self.sent.append(KafkaRecord(partition, offset, key, value, headers, at_ms, topic))
        future.set_result(None)
        return future

    def places(self) -> list[tuple[int, int]]:
        """Partition and offset of each letter's record, sorted."""
        return sorted((letter.partition, letter.offset) for letter in self.sent)

    def reasons(self) -> list[str]:
        return [(dict(letter.headers)["reason"] or b"").decode() for letter in self.sent]


class CatalogueTopic:
    """The catalogue's records as published so far; their index is their offset."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes | None]] = []

    def publish(self, item: Mapping[str, Any]) -> int:
        """Appends `{"kind", "value"}`, or a removal `{"kind", "tenant"?, "id", "value": None}`; its offset."""
        value = item["value"]
        named = item if value is None else value
        owner = [named["tenant"]] if item["kind"] in ("filter", "profile") else []
        name = named["identifier"] if item["kind"] == "credential" else named.get("id", named.get("name"))
        key = "/".join((item["kind"], *owner, name)).encode()
        return self.append(key, None if value is None else json.dumps(value).encode())

    def append(self, key: bytes, value: bytes | None) -> int:
        self.records.append((key, value))
        return len(self.records) - 1


class Pipeline:
    """One consumer process, without its Kafka clients: what it learns, remembers and writes."""

    def __init__(
        self,
        store: CounterStore,
        topic: CatalogueTopic,
        producer: FakeProducer,
        now_us: int,
        *,
        apply_events: int = 1000,
        topic_id: str = TOPIC_ID,
        most_dated: int = 10_000,
    ) -> None:
        self.store, self.producer, self.clock = store, producer, SetClock(now_us)
        self._topic = topic
        self.metrics = ConsumerMetrics()
        self.catalogue = CatalogueLog()
        self.catalogue_sync = CatalogueSync(store, self.catalogue, self.metrics)
        self.tenants = Tenants(self.catalogue_sync.synchronize, self.catch_up)
        self.dead_letters = DeadLetters(producer, "dead-letters", self.metrics, FloodGuard(10_000, 100_000, 1.0))
        self.step = EventStep(store, self.tenants, self.dead_letters, self.clock, self.metrics, topic_id)
        self.reevaluation = Reevaluation(store, self.tenants, self.clock, self.metrics, topic_id)
        self.away = AwayBuckets(store, topic_id, range(buckets_of(store)), self.metrics)
        self.processor = BatchProcessor(store, self.step, self.tenants, self.dead_letters, self.away, apply_events)
        self.leases = Leases(store)
        self.on_demand_columns = OnDemandColumns(
            store, self.catalogue_sync, self.clock, self.metrics, most_pairs=10_000, most_dated=most_dated
        )
        self.backfiller = Backfiller(
            store, self.catalogue_sync, self.reevaluation, self.on_demand_columns, self.leases, self.metrics
        )
        self.timers = Timers(store, self.reevaluation, self.leases, self.clock, self.metrics, range(buckets_of(store)))
        self.refused: dict[int, str] = {}
        self._learnt = 0

    async def catch_up(self) -> None:
        """Takes and carries every catalogue record published so far, as the catalogue's reader does of one poll."""
        touched = Touched()
        while self._learnt < len(self._topic.records):
            offset, self._learnt = self._learnt, self._learnt + 1
            try:
                touched |= self.catalogue.take(offset, *self._topic.records[offset])
            except EntryError as error:
                self.refused[offset] = str(error)
            if touched.is_removal:
                await self.catalogue_sync.sync(touched)
                touched = Touched()
        await self.catalogue_sync.sync(touched)
        if self._learnt > self.catalogue_sync.validated_offset:
            self.catalogue_sync.validated_offset = self._learnt
            await self.store.set_tenants_read()
            await self.store.set_validated_offset(self._learnt)

    async def starts(self, partitions: int) -> dict[int, int]:
        """Where a consumer that begins now starts each partition: the lowest position of any bucket."""
        states = await self.store.states(range(buckets_of(self.store)))
        self.processor.start_at(states, range(partitions))
        return {
            partition: min((state.positions.get(partition, 0) for state in states.values()), default=0)
            for partition in range(partitions)
        }

    async def consume(self, records: Sequence[Record]) -> None:
        """One round of the loop over records that were fetched. A partition's records must follow one another."""
        batches: dict[int, list[KafkaRecord]] = {}
        for one in records:
            record = KafkaRecord(one.partition, one.offset, one.key, one.value, one.headers)
            batches.setdefault(one.partition, []).append(record)
        by_bucket = await grouped(self.processor, batches)
        await self.processor.apply(by_bucket, {p: Goal(batch[-1].offset + 1, 0) for p, batch in batches.items()})

    async def tick(self, ends: Mapping[int, int]) -> None:
        """Raises every bucket to these positions."""
        await self.processor.tick({partition: Goal(end, 0) for partition, end in ends.items()})

    async def backfill(self) -> None:
        """One look of the backfiller over all it has to do."""
        await self.on_demand_columns.look(self.backfiller._may)
        for name in sorted(self.catalogue_sync.to_backfill):
            await self.backfiller._tenant(name)
        await self.backfiller._collect()


async def grouped(processor: BatchProcessor, batches: Mapping[int, Sequence[Letter]]) -> EventsByBucket:
    """Returns the events of the records by bucket. Bad records are sent as dead letters and acknowledged on return.

    Raises Flood, KafkaError and StoreUnavailable.
    """
    by_bucket: EventsByBucket = {}
    for partition, records in batches.items():
        left = records
        while left:
            part = await processor.decoded_by_bucket(partition, left, left[-1].offset + 1)
            await processor.dead_letters.acknowledged(part.letters)
            merge(by_bucket, part)
            left = left[part.records :]
    return by_bucket


def buckets_of(store: StorePlacement) -> int:
    """How many buckets a store was made with."""
    count: int = store.buckets  # type: ignore[attr-defined]  # both stores have it, the port needs none
    return count


def published(items: Iterable[Mapping[str, Any]]) -> CatalogueTopic:
    """A topic with these entries."""
    topic = CatalogueTopic()
    for item in items:
        topic.publish(item)
    return topic
