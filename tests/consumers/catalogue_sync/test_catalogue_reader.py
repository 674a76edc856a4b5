"""The catalogue's loop over a client that fails: an error that passes is waited for, one that doesn't stops it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from consumers import backoff
from consumers.catalogue_sync.catalogue_reader import CatalogueReader
from consumers.errors import ForeignTopic, Incurable
from consumers.fetching.flawed import FlawedRecord
from tests.consumers.small_world import SmallWorld, filter_entry
from tests.support.pipeline import KafkaRecord
from tests.support.waiting import wait_until

PARTITION = TopicPartition("ticket-catalogue", 0)


class FailingClient:
    """The catalogue topic of a small world. Each call named in `failures` raises what stands there, once each."""

    def __init__(self, world: SmallWorld) -> None:
        self._topic = world.topic
        self._at = 0
        self.failures: dict[str, list[KafkaError]] = {}
        self.flawed: Mapping[int, FlawedRecord] = {}

    def _fail(self, call: str) -> None:
        if waiting := self.failures.get(call):
            raise waiting.pop(0)

    async def seek_to_beginning(self, partition: TopicPartition) -> None:
        self._fail("seek_to_beginning")
        self._at = 0

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._at = offset

    async def getmany(self, timeout_ms: int) -> Mapping[TopicPartition, Sequence[KafkaRecord | FlawedRecord]]:
        await asyncio.sleep(0.001)
        self._fail("getmany")
        records = self._topic.records[self._at :]
        found = [
            self.flawed.get(self._at + n) or KafkaRecord(0, self._at + n, key, value)
            for n, (key, value) in enumerate(records)
        ]
        self._at = len(self._topic.records)
        return {PARTITION: found} if found else {}

    async def position(self, partition: TopicPartition) -> int:
        self._fail("position")
        return self._at

    async def end_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        self._fail("end_offsets")
        return {PARTITION: len(self._topic.records)}


@asynccontextmanager
async def reading(
    client: FailingClient, world: SmallWorld
) -> AsyncIterator[tuple[CatalogueReader, asyncio.Task[None]]]:
    """A reader that runs."""
    parts = await world.consumer(catch_up=False)
    reader = CatalogueReader(
        client, PARTITION.topic, parts.catalogue, parts.catalogue_sync, world.store, parts.dead_letters
    )
    task = asyncio.create_task(reader.run())
    try:
        yield reader, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_S", 0.001)


@pytest.mark.parametrize("call", ["seek_to_beginning", "getmany", "position", "end_offsets"])
async def test_an_error_that_passes_is_waited_for_wherever_it_is_met(call: str) -> None:
    world = SmallWorld()
    client = FailingClient(world)
    client.failures[call] = [KafkaConnectionError(), KafkaConnectionError()]
    async with reading(client, world) as (reader, task):
        await wait_until(lambda: reader.readable.is_set() or task.done(), 10, "the catalogue to be read")
        assert not task.done(), task
        assert await world.store.tenant("acme") is not None
        client.failures["getmany"] = [KafkaConnectionError()]
        world.topic.publish(filter_entry("late"))
        await reader.catch_up()
        stored = await world.store.tenant("acme")
        assert stored is not None
        assert "late" in stored.record.newest.filters


@pytest.mark.parametrize("call", ["seek_to_beginning", "getmany", "position", "end_offsets"])
async def test_an_error_that_no_retry_cures_stops_the_reader_and_is_named(call: str) -> None:
    world = SmallWorld()
    client = FailingClient(world)
    client.failures[call] = [TopicAuthorizationFailedError("ticket-catalogue")]
    async with reading(client, world) as (_, task):
        with pytest.raises(Incurable, match="TopicAuthorizationFailedError"):
            await asyncio.wait_for(task, 10)


async def test_an_entry_whose_newest_record_is_flawed_stays_though_compaction_took_the_good_one() -> None:
    world = SmallWorld()
    await world.consumer()
    assert "vip" in await _filters(world)
    client = FailingClient(world)
    world.topic.publish(filter_entry("other"))
    world.topic.records[1] = world.topic.records.pop()  # compaction has taken the good one away
    offset = world.topic.append(b"filter/acme/vip", b"{}")
    client.flawed = {offset: FlawedRecord(PARTITION.topic, 0, offset, 5, b"filter/acme/vip", b"{}", (), "headers: bad")}
    async with reading(client, world) as (reader, task):
        await wait_until(lambda: reader.readable.is_set() or task.done(), 10, "the catalogue to be read")
        assert not task.done(), task
    assert "vip" in await _filters(world)
    assert world.producer.reasons() == ["headers: bad"]


async def _filters(world: SmallWorld) -> Sequence[str]:
    stored = await world.store.tenant("acme")
    assert stored is not None
    return sorted(stored.record.newest.filters)


async def test_a_topic_that_begins_anew_is_refused_also_where_that_is_first_seen_without_a_record() -> None:
    world = SmallWorld()
    client = FailingClient(world)
    async with reading(client, world) as (reader, task):
        await wait_until(reader.readable.is_set, 10, "the catalogue to be read")
        world.topic.records.clear()
        client.seek(PARTITION, 0)  # as the client does by itself when its offset is out of range
        with pytest.raises(ForeignTopic, match="starts again"):
            await asyncio.wait_for(task, 10)
