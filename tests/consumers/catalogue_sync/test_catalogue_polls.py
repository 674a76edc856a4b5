"""The catalogue's reader over a topic in memory: one poll is carried together, and what is too much is parked."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from structlog.testing import capture_logs

from consumers.catalogue_sync.catalogue_log import CatalogueLog
from consumers.catalogue_sync.catalogue_reader import CatalogueReader
from consumers.catalogue_sync.sync import CatalogueSync
from consumers.dead_letters.sender import DeadLetters, FloodGuard
from consumers.metrics import ConsumerMetrics
from service.domain.tenants import entry_limits
from service.store.ports.catalogue import StoredTenant
from tests.consumers.small_world import TENANT, filter_entry, removal, tenant_entry
from tests.fakes.memory_store import MemoryStore
from tests.support.pipeline import CatalogueTopic, FakeProducer, KafkaRecord, published
from tests.support.waiting import wait_until

PARTITION = TopicPartition("ticket-catalogue", 0)


class TopicClient:
    """What the reader needs of its Kafka client: hands out all records that are there, poll by poll."""

    def __init__(self, topic: CatalogueTopic) -> None:
        self._topic = topic
        self._position = 0

    async def seek_to_beginning(self, partition: TopicPartition) -> None:
        self._position = 0

    async def position(self, partition: TopicPartition) -> int:
        return self._position

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {PARTITION: len(self._topic.records)}

    async def getmany(self, timeout_ms: int) -> Mapping[TopicPartition, Sequence[KafkaRecord]]:
        await asyncio.sleep(0.001)
        new = self._topic.records[self._position :]
        first, self._position = self._position, len(self._topic.records)
        return {PARTITION: [KafkaRecord(0, first + n, *record) for n, record in enumerate(new)]} if new else {}


class CountedStore(MemoryStore):
    """Counts how often a tenant's record was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    async def put_tenant(self, tenant: str, expected: str | None, new: StoredTenant) -> bool:
        self.written += 1
        return await super().put_tenant(tenant, expected, new)


BEYOND = "entries beyond what a tenant may have stay as they were"


@asynccontextmanager
async def reading(store: MemoryStore, topic: CatalogueTopic) -> AsyncIterator[tuple[CatalogueReader, FakeProducer]]:
    """A reader that has read what is there, and goes on; and its dead letters."""
    producer, metrics, log = FakeProducer(), ConsumerMetrics(), CatalogueLog()
    letters = DeadLetters(producer, "dead-letters", metrics, FloodGuard(10_000, 100_000, 1.0))
    client: Any = TopicClient(topic)
    reader = CatalogueReader(client, PARTITION.topic, log, CatalogueSync(store, log, metrics), store, letters)
    task = asyncio.create_task(reader.run())
    try:
        await reader.catch_up()
        yield reader, producer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def filters_of(store: MemoryStore) -> set[str]:
    stored = await store.tenant(TENANT)
    assert stored is not None
    return set(stored.record.newest.filters)


async def test_what_one_poll_brings_comes_into_force_together() -> None:
    topic, store = published([tenant_entry(), tenant_entry("other")]), CountedStore()
    async with reading(store, topic) as (reader, _):
        before = store.written
        for n in range(200):
            topic.publish(filter_entry(f"f{n}"))
            topic.publish(filter_entry(f"f{n}", tenant="other"))
        await reader.catch_up()
        assert await filters_of(store) == {f"f{n}" for n in range(200)}
        assert store.written - before == 2, "once a tenant, not once a filter"


async def test_a_tenant_that_goes_and_comes_back_within_one_poll_has_lost_its_tickets() -> None:
    topic, store = published([tenant_entry()]), MemoryStore()
    async with reading(store, topic) as (reader, _):
        before = await store.tenant(TENANT)
        topic.publish(removal("tenant", TENANT))
        topic.publish(tenant_entry())
        await reader.catch_up()
        after = await store.tenant(TENANT)
        assert before is not None
        assert after is not None
        assert after.generation != before.generation
        assert (TENANT, before.generation) in await store.orphans()


async def test_filters_beyond_the_limit_are_dead_letters_and_the_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_limits, "MOST_FILTERS", 3)
    topic, store = published([tenant_entry(), filter_entry("a"), filter_entry("b")]), MemoryStore()
    async with reading(store, topic) as (reader, producer):
        for name in ("c", "d", "a"):
            topic.publish(filter_entry(name, {"field": "category", "op": "eq", "value": "new"}))
        await reader.catch_up()
        assert await filters_of(store) == {"a", "b", "c"}
        assert [letter.key for letter in producer.sent] == [f"filter/{TENANT}/d".encode()]
        assert producer.reasons() == [f"filter: {entry_limits.BEYOND_LIMITS}"]
        topic.publish(removal("filter", "b", TENANT))
        await reader.catch_up()
        assert await filters_of(store) == {"a", "c", "d"}, "there is room for it now"
    async with reading(store, topic) as (_, producer):
        assert await filters_of(store) == {"a", "c", "d"}
        assert not producer.sent, "it was parked before"


async def test_entries_beyond_the_limit_are_warned_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_limits, "MOST_FILTERS", 1)
    topic, store = published([tenant_entry(), filter_entry("a"), filter_entry("b")]), MemoryStore()
    with capture_logs() as lines:
        async with reading(store, topic) as (reader, _):
            for _ in range(3):
                await reader._catalogue_sync.synchronize(TENANT)
    assert [line["event"] for line in lines if line["log_level"] == "warning"].count(BEYOND) == 1


async def test_who_starts_over_a_compacted_topic_agrees_about_what_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_limits, "MOST_FILTERS", 2)
    topic, store = published([tenant_entry(), *(filter_entry(name) for name in ("a", "b", "c"))]), MemoryStore()
    async with reading(store, topic) as (reader, producer):
        assert await filters_of(store) == {"a", "b"}
        assert len(producer.sent) == 1
        topic.publish(filter_entry("a", {"field": "category", "op": "eq", "value": "edited"}))
        await reader.catch_up()
    compacted = CatalogueTopic()
    compacted.records = [(b"", b"{}") if n == 1 else record for n, record in enumerate(topic.records)]  # the old `a`
    async with reading(store, compacted) as (reader, _):
        compacted.publish(filter_entry("b", {"field": "category", "op": "eq", "value": "edited"}))
        await reader.catch_up()
        assert await filters_of(store) == {"a", "b"}


async def test_conditions_too_large_together_stay_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_limits, "MOST_WRITTEN_BYTES", 300)
    large = {"field": "category", "op": "in", "value": [f"category-{n}" for n in range(30)]}
    topic, store = published([tenant_entry(), filter_entry("a"), filter_entry("b")]), MemoryStore()
    async with reading(store, topic) as (reader, producer):
        before = await store.tenant(TENANT)
        topic.publish(filter_entry("a", large))
        topic.publish(filter_entry("b", {"field": "category", "op": "eq", "value": "small"}))
        await reader.catch_up()
        after = await store.tenant(TENANT)
        assert before is not None
        assert after is not None
        assert after.record.newest.filters["a"] == before.record.newest.filters["a"]
        assert after.record.newest.filters["b"] != before.record.newest.filters["b"]
        assert [letter.key for letter in producer.sent] == [f"filter/{TENANT}/a".encode()]


@pytest.mark.parametrize(("field", "most"), [("statuses", 1_000), ("priorities", 1_000), ("teams", 10_000)])
async def test_a_tenant_with_too_many_statuses_is_a_dead_letter(field: str, most: int) -> None:
    def tenant_with(count: int) -> dict[str, Any]:
        members: Any = {field: [{"id": str(n), "name": "N", "rank": n} for n in range(count)]}
        return tenant_entry(**members)

    topic, store = published([tenant_with(most)]), MemoryStore()
    async with reading(store, topic) as (reader, producer):
        assert not producer.sent
        offset = topic.append(f"tenant/{TENANT}".encode(), json.dumps(tenant_with(most + 1)["value"]).encode())
        await reader.catch_up()
        assert producer.places() == [(0, offset)]
        assert producer.reasons() == [f"{field}: {most + 1} of them, and a tenant may have at most {most}"]

        async def in_force() -> bool:
            stored = await store.tenant(TENANT)
            return stored is not None and len(getattr(stored.record.newest.settings, field)) == most

        await wait_until(in_force, 10, "the last good entry")
