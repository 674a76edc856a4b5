"""Backfills: new columns filled and old ones cleared in every ticket, by one consumer at a time, through the step."""

import asyncio

import pytest

from consumers.backfill import backfiller
from service.domain.counting.contributions import column_changes
from service.domain.tenants.record import backfill_for
from service.domain.tenants.view import Warming
from service.store.ports.catalogue import StoredTenant
from service.store.ports.errors import StoreUnavailable
from tests.consumers.small_world import (
    TENANT,
    SmallWorld,
    deleted,
    filter_entry,
    log_of,
    removal,
    tenant_entry,
    told,
)
from tests.support.pipeline import Pipeline
from tests.support.waiting import wait_until

MANY = 25
VIP = {"field": "category", "op": "eq", "value": "vip"}
OTHER = {"field": "category", "op": "ne", "value": "vip"}


@pytest.fixture(autouse=True)
def small_bites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfiller, "SCAN_BATCH", 4)
    monkeypatch.setattr(backfiller, "REST_SHARE", 0.0)
    monkeypatch.setattr(backfiller, "POLL_INTERVAL_S", 0.01)


async def many_tickets() -> tuple[SmallWorld, Pipeline]:
    """A tenant without filters; every second of its tickets is a VIP's."""
    world = SmallWorld(tenant_entry())
    consumer = await world.consumer()
    await consumer.consume(
        log_of(*(told(1, f"T{n}", category="vip" if n % 2 else "c", assignee=f"u{n}") for n in range(MANY)))
    )
    return world, consumer


async def test_a_new_filter_is_warming_until_every_ticket_was_asked() -> None:
    world, consumer = await many_tickets()
    world.topic.publish(filter_entry())
    await consumer.catch_up()
    with pytest.raises(Warming):
        await world.counts("vip")
    assert await world.counts("all") == (MANY,)
    await consumer.backfill()
    assert await world.counts("all", "vip") == (MANY, MANY // 2)
    assert consumer.metrics.backfilled._value.get() == MANY
    await consumer.backfill()
    assert consumer.catalogue_sync.to_backfill == set()


async def test_an_edited_filter_counts_as_before_until_it_is_filled_and_its_old_column_leaves_no_cell() -> None:
    world, consumer = await many_tickets()
    world.topic.publish(filter_entry())
    await consumer.catch_up()
    await settled(consumer)
    world.topic.publish(filter_entry("vip", OTHER))
    await consumer.catch_up()
    assert await world.counts("vip") == (MANY // 2,)
    await settled(consumer)
    assert await world.counts("vip") == (MANY - MANY // 2,)
    world.topic.publish(removal("filter", "vip", TENANT))
    await consumer.catch_up()
    await settled(consumer)
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    used = {
        column
        for counter in world.store._tenants[TENANT].counters.values()
        for masks in counter.values()
        for column in column_changes(masks)
    }
    assert used <= set(stored.record.numbers.values())


async def test_what_is_adopted_while_the_backfiller_reads_is_backfilled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, consumer = await many_tickets()
    read, published = world.store.tenant, False

    async def meanwhile(name: str) -> StoredTenant | None:
        nonlocal published
        found = await read(name)
        if not published:
            published = True
            world.topic.publish(filter_entry("new", OTHER))
            await consumer.catch_up()
        return found

    consumer.catalogue_sync.to_backfill.add(TENANT)
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "tenant", meanwhile)
        await consumer.backfiller._tenant(TENANT)
    assert consumer.catalogue_sync.to_backfill == {TENANT}
    await settled(consumer)
    assert await world.counts("new") == (MANY - MANY // 2,)


async def settled(consumer: Pipeline) -> None:
    while consumer.catalogue_sync.to_backfill:
        await consumer.backfill()


async def test_events_during_a_backfill_are_counted_in_the_new_column() -> None:
    world, consumer = await many_tickets()
    world.topic.publish(filter_entry())
    await consumer.catch_up()
    events = log_of(
        *(told(1, "x") for _ in range(MANY)), told(2, "T1"), told(1, "new", category="vip"), deleted(2, "T3")
    )
    world.store.before_load += [lambda: consumer.consume(events[MANY:])]
    await consumer.backfill()
    assert await world.counts("all", "vip") == (MANY, MANY // 2 - 1)


async def test_only_who_has_the_lease_sweeps() -> None:
    world, consumer = await many_tickets()
    world.topic.publish(filter_entry())
    other = Pipeline(world.store, world.topic, world.producer, 0)
    await consumer.catch_up()
    await other.catch_up()
    bucket = world.store.bucket(TENANT)
    assert await world.store.lease(bucket, "somebody", 1000)
    await other.backfill()
    assert other.metrics.backfilled._value.get() == 0
    assert other.catalogue_sync.to_backfill == {TENANT}
    with pytest.raises(Warming):
        await world.counts("vip")


async def test_a_catalogue_that_changes_during_a_backfill_is_backfilled_again() -> None:
    world, consumer = await many_tickets()
    world.topic.publish(filter_entry())
    await consumer.catch_up()

    async def edit() -> None:
        world.topic.publish(filter_entry("two", OTHER))
        await consumer.catch_up()

    world.store.before_load += [nothing, nothing, edit]
    await settled(consumer)
    assert await world.counts("vip", "two") == (MANY // 2, MANY - MANY // 2)


async def nothing() -> None:
    """Nothing is done before this call."""


async def test_a_filter_that_goes_and_comes_back_during_a_backfill_is_right() -> None:
    world, consumer = await many_tickets()
    world.topic.publish(filter_entry())
    await consumer.catch_up()

    async def there_and_back() -> None:
        world.topic.publish(removal("filter", "vip", TENANT))
        await consumer.catch_up()
        world.topic.publish(filter_entry())
        await consumer.catch_up()

    world.store.before_load += [nothing, nothing, nothing, there_and_back]
    await consumer.backfill()
    with pytest.raises(Warming):
        await world.counts("vip")
    await settled(consumer)
    assert await world.counts("vip") == (MANY // 2,)


async def test_another_run_of_the_store_starts_the_sweep_again() -> None:
    world, consumer = await many_tickets()
    world.topic.publish(filter_entry())
    await consumer.catch_up()

    async def restart() -> None:
        world.store._run += "x"

    world.store.before_load += [nothing, restart]
    await consumer.backfill()
    with pytest.raises(Warming):
        await world.counts("vip")
    await settled(consumer)
    assert await world.counts("vip") == (MANY // 2,)


async def test_half_a_backfill_of_one_generation_is_none_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfiller, "SLICE_S", 0.0)
    world, consumer = await many_tickets()
    world.topic.publish(filter_entry())
    await consumer.catch_up()
    await consumer.backfill()
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    backfill = backfill_for(stored.record)
    assert backfill is not None
    assert (await consumer.backfiller._progress(TENANT, stored.generation, backfill)).cursor == 4
    assert (await consumer.backfiller._progress(TENANT, "the next", backfill)).cursor == 0


async def test_a_tenant_that_goes_during_its_sweep_ends_it() -> None:
    world, consumer = await many_tickets()
    world.topic.publish(filter_entry())
    await consumer.catch_up()

    async def remove() -> None:
        world.topic.publish(removal("tenant", TENANT))
        await consumer.catch_up()

    world.store.before_load += [nothing, remove]
    await consumer.backfill()
    assert await world.store.tenant(TENANT) is None
    await settled(consumer)
    assert list(await world.store.orphans()) == []


async def test_the_loop_looks_again_after_the_store_was_away() -> None:
    world, consumer = await many_tickets()
    world.topic.publish(filter_entry())
    await consumer.catch_up()

    async def away() -> None:
        raise StoreUnavailable("away")

    world.store.before_load += [away, nothing, away]
    loop = asyncio.create_task(consumer.backfiller.run())
    await wait_until(lambda: not consumer.catalogue_sync.to_backfill, 10, "the backfill to end")
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    assert world.store.before_load == [], "both faults fired"
    assert await world.counts("vip") == (MANY // 2,)
