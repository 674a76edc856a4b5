"""The catalogue carried into the store: by compare-and-set, never older over newer, whoever reads how far."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from consumers.catalogue_sync import sync as catalogue_sync
from consumers.catalogue_sync.catalogue_log import CatalogueLog
from consumers.catalogue_sync.sync import CatalogueSync
from consumers.metrics import ConsumerMetrics
from service.domain.catalogue.catalogue import EntryError
from service.domain.counting import columns
from service.domain.counting.columns import EVERY_TICKET, SEMANTICS
from service.domain.tenants import record
from service.store.ports.catalogue import StoredTenant
from service.store.ports.errors import StoreUnavailable
from tests.consumers.small_world import (
    TENANT,
    SmallWorld,
    filter_entry,
    log_of,
    removal,
    tenant_entry,
    told,
)
from tests.domain.catalogue.test_entries import EC
from tests.fakes.memory_store import MemoryStore
from tests.oracle.generated.choices import SeededChoices
from tests.properties.driving import InterleavedStore
from tests.support.examples import examples
from tests.support.pipeline import CatalogueTopic, published


def reader(store: MemoryStore, topic: CatalogueTopic, end: int | None = None) -> CatalogueSync:
    """A consumer that has read the topic up to there."""
    log = CatalogueLog()
    for offset, (key, value) in enumerate(topic.records[:end]):
        try:
            log.take(offset, key, value)
        except EntryError:
            continue
    return CatalogueSync(store, log, ConsumerMetrics())


async def filters(store: MemoryStore) -> list[str] | None:
    stored = await store.tenant(TENANT)
    return None if stored is None else sorted(stored.record.newest.filters)


async def test_everything_that_was_read_is_in_the_store_afterwards() -> None:
    realm = {"kind": "realm", "value": {"name": "r", "issuer": "https://id", "jwks": {"keys": [EC]}}}
    topic, store = published([realm, tenant_entry(), filter_entry(), tenant_entry("two")]), MemoryStore()
    await reader(store, topic).sync_all()
    assert (await store.realm("r")) is not None
    assert await filters(store) == ["vip"]
    assert (await store.tenant("two")) is not None
    stored = await store.tenant(TENANT)
    assert stored is not None
    assert stored.record.version == 2
    await reader(store, topic).sync_all()
    assert await store.tenant(TENANT) == stored, "nothing to do, nothing done"


async def test_what_is_odd_about_a_realm_is_said_once_by_whoever_adopts_it_first() -> None:
    bound: dict[str, Any] = {"name": "bound", "issuer": "https://id", "jwks": {"keys": [EC]}, "audience": "counts"}
    odd = {"name": "odd", "issuer": "https://id", "jwks": {"keys": [EC, {"kty": "XYZ"}]}}
    topic, store = published([{"kind": "realm", "value": bound}, {"kind": "realm", "value": odd}]), MemoryStore()
    with capture_logs() as lines:
        for _ in range(2):
            await reader(store, topic).sync_all()
    warning = {"event": "realm adopted with a warning", "realm": "odd", "log_level": "warning"}
    unbound = "audience: none is named, so tokens that the issuer made for other clients are accepted too"
    assert lines == [
        warning | {"problem": "jwks.keys[1].kty: invalid value 'XYZ'; this key is ignored"},
        warning | {"problem": unbound},
    ]


class StoreThatFails(MemoryStore):
    """Goes away at the n-th tenant."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    async def put_tenant(self, tenant: str, expected: str | None, new: StoredTenant) -> bool:
        self.left -= 1
        if self.left < 0:
            raise StoreUnavailable("away")
        return await super().put_tenant(tenant, expected, new)


async def test_a_store_says_that_it_has_everything_only_once_it_has() -> None:
    store = StoreThatFails(1)
    catalogue_sync = reader(store, published([tenant_entry(), filter_entry(), tenant_entry("two")]))
    catalogue_sync.validated_offset = 3
    with pytest.raises(StoreUnavailable):
        await catalogue_sync.sync_all()
    assert not await store.catalogue_read()
    assert not await store.tenants_read(TENANT)
    store.left = 9
    await catalogue_sync.sync_all()
    assert await store.catalogue_read()
    assert await store.tenants_read(TENANT)
    assert await store.validated_offset() == 3, "what was judged before the store came back empty is not judged twice"


async def test_a_reader_that_is_behind_takes_what_is_newer_and_writes_nothing() -> None:
    topic, store = published([tenant_entry(), filter_entry(), filter_entry("two")]), MemoryStore()
    await reader(store, topic).sync_all()
    newest = await store.tenant(TENANT)
    for end in (1, 2):
        behind = reader(store, topic, end)
        assert await behind.synchronize(TENANT) == newest
        await behind.sync_all()
    assert await store.tenant(TENANT) == newest
    assert await reader(store, topic, 0).synchronize(TENANT) == newest, "one that knows nothing of it at all"


async def test_a_store_that_went_back_is_brought_forward_again() -> None:
    topic, store = published([tenant_entry(), filter_entry(), filter_entry("two")]), MemoryStore()
    await reader(store, topic, 1).sync_all()
    ahead = reader(store, topic)
    await ahead.sync_all()
    assert await filters(store) == ["two", "vip"]
    store._tenants.clear()
    await ahead.sync_all()
    assert await filters(store) == ["two", "vip"]


async def test_a_removed_tenant_goes_and_one_that_is_behind_doesn_t_bring_it_back() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    await consumer.consume(log_of(told(1)))
    behind = reader(world.store, world.topic)
    world.topic.publish(removal("tenant", TENANT))
    await consumer.catch_up()
    assert await world.store.tenant(TENANT) is None
    assert {tenant for tenant, _ in consumer.catalogue_sync.orphans} == {TENANT}
    newest = reader(world.store, world.topic)
    await newest.sync_all()
    assert newest.orphans == consumer.catalogue_sync.orphans
    assert await newest.synchronize(TENANT) is None
    assert await behind.synchronize(TENANT) is not None, (
        "it has not read of the removal yet, so it makes the tenant anew"
    )
    await newest.sync_all()
    assert await world.store.tenant(TENANT) is None


async def test_a_tenant_that_comes_again_is_a_new_generation() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    await consumer.consume(log_of(told(1)))
    first = await world.store.tenant(TENANT)
    world.topic.publish(removal("tenant", TENANT))
    await consumer.catch_up()
    world.topic.publish(tenant_entry())
    await consumer.catch_up()
    second = await world.store.tenant(TENANT)
    assert first is not None
    assert second is not None
    assert first.generation != second.generation
    await consumer.backfill()
    assert await world.counts("all") == (0,)
    assert list(await world.store.orphans()) == []


async def test_a_bad_entry_stays_as_the_store_has_it_even_when_the_good_record_is_compacted_away() -> None:
    topic, store = published([tenant_entry(), filter_entry(), filter_entry("two")]), MemoryStore()
    await reader(store, topic).sync_all()
    compacted = CatalogueTopic()
    compacted.records = [topic.records[0], (b"filter/acme/vip", b"bad"), (b"tenant/acme", b"bad"), topic.records[2]]
    compacted.publish(filter_entry("three"))
    await reader(store, compacted).sync_all()
    assert await filters(store) == ["three", "two", "vip"]


async def test_a_bad_tenant_entry_alone_is_not_a_removal() -> None:
    topic, store = published([tenant_entry(), filter_entry()]), MemoryStore()
    await reader(store, topic).sync_all()
    compacted = CatalogueTopic()
    compacted.records = [(b"", b""), topic.records[1], (b"tenant/acme", b"bad")]
    await reader(store, compacted).sync_all()
    assert await filters(store) == ["vip"]


async def test_columns_of_older_code_are_made_anew_from_the_newest_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    topic, store = published([tenant_entry(), filter_entry(), filter_entry("two")]), MemoryStore()
    await reader(store, topic).sync_all()
    before = await store.tenant(TENANT)
    assert before is not None
    for module in (catalogue_sync, columns, record):
        monkeypatch.setattr(module, "SEMANTICS", SEMANTICS + 1)
    await reader(store, topic, end=2).sync_all()
    after = await store.tenant(TENANT)
    assert after is not None
    assert (after.record.semantics, after.record.newest_version) == (SEMANTICS + 1, 2)
    assert sorted(after.record.newest.filters) == ["two", "vip"]
    assert after.record.numbers[EVERY_TICKET] == 0
    assert set(after.record.filling) == set(after.record.numbers) - set(before.record.numbers)
    assert after.record.filling


async def test_what_needs_a_backfill_is_noted_by_every_reader() -> None:
    topic, store = published([tenant_entry()]), MemoryStore()
    await reader(store, topic).sync_all()
    topic.publish(filter_entry())
    first, second = reader(store, topic), reader(store, topic)
    await first.sync_all()
    await second.sync_all()
    assert first.to_backfill == second.to_backfill == {TENANT}


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 2**32))
def test_any_number_of_readers_in_any_interleaving_end_at_the_newest(seed: int) -> None:
    choices = SeededChoices(seed)
    topic = published([tenant_entry()])
    for _ in range(choices.integer(0, 6)):
        name = choices.pick(("a", "b", "c"))
        entry = filter_entry(name, {"field": "category", "op": "eq", "value": choices.pick("xyz")})
        topic.publish(choices.pick((entry, entry, removal("filter", name, TENANT))))

    async def race() -> None:
        store = InterleavedStore(choices, 2)
        ends = [choices.integer(1, len(topic.records)) for _ in range(choices.integer(1, 3))]
        readers = [reader(store, topic, end) for end in [*ends, len(topic.records)]]
        await asyncio.gather(*(one.sync_all() for one in readers))
        stored = await store.tenant(TENANT)
        expected = readers[-1]._catalogue.entries(TENANT)
        assert stored is not None
        assert (stored.record.newest, stored.record.newest_version) == expected

    asyncio.run(race())
