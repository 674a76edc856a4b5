"""What a rebuild does to one small tenant, step by step: what it mends, what it leaves alone, when it gives way."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from consumers import progress
from consumers.audit.tenant_audit import TenantAudit
from consumers.errors import RebuildRefused
from consumers.rebuild import filling, rebuilding
from consumers.rebuild.rebuilding import CLOCKS_APART_US, MERGE_AFTER_US, Rebuilding
from service.store.ports.building import BEHIND, Building, Memory, NotYet, SwapOutcome
from service.store.ports.errors import StoreUnavailable
from service.store.ports.steps import BucketState
from tests.consumers.small_world import (
    NOW_US,
    TENANT,
    SmallWorld,
    counts,
    deleted,
    filter_entry,
    log_of,
    patched,
    removal,
    tenant_entry,
    told,
    tombstone,
)
from tests.oracle.published.records import Record
from tests.support.pipeline import TOPIC_ID, Pipeline
from tests.support.rebuilds import rebuilding_over

BOTH = pytest.mark.parametrize("from_store", [False, True], ids=["from the log", "from the store"])
MANY = 25
LOG = log_of(
    *(told(1, f"T{number}", category="vip" if number % 2 else "c", assignee=f"u{number}") for number in range(MANY))
)
VIP_REMOVED = removal("filter", "vip", TENANT)


class Killed(BaseException):
    """Nothing in the process handles it, as little as a kill."""


@pytest.fixture(autouse=True)
def small_bites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "SCAN_BATCH", 4)


async def counted(log: Sequence[Record] = LOG) -> tuple[SmallWorld, Pipeline]:
    """A world that has counted the log."""
    world = SmallWorld()
    consumer = await world.consumer()
    await consumer.consume(log)
    return world, consumer


def rebuild_of(
    world: SmallWorld, log: Sequence[Record] = LOG, *, from_store: bool = False, now: int = NOW_US, at_once: int = 4
) -> tuple[Rebuilding, list[str]]:
    """A rebuild, and what it will have said."""
    said: list[str] = []
    return rebuilding_over(world.store, {0: log}, now, said, from_store=from_store, at_once=at_once), said


async def rebuilt(world: SmallWorld, log: Sequence[Record] = LOG, *, from_store: bool = False) -> list[str]:
    """Rebuilds the tenant; what was said."""
    process, said = rebuild_of(world, log, from_store=from_store)
    await process.run([TENANT])
    return said


async def generation(world: SmallWorld) -> str:
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    return stored.generation


def spoil(world: SmallWorld) -> None:
    """One ticket too many in one mask of the counter of all tickets."""
    masks = world.store._tenants[TENANT].counters["*"][""]
    masks[next(iter(masks))] += 1


@BOTH
async def test_drift_is_mended_and_said(from_store: bool) -> None:
    world, _ = await counted()
    spoil(world)
    assert await world.counts("all") == (MANY + 1,)
    before = await generation(world)
    said = await rebuilt(world, from_store=from_store)
    assert await world.counts("all", "vip") == (MANY, MANY // 2)
    assert f"{MANY} tickets (before {MANY + 1})" in said[-1]
    assert "counts differ" in said[-1]
    assert await generation(world) != before
    assert list(await world.store.orphans()) == []


@BOTH
async def test_where_nothing_is_wrong_every_count_stays(from_store: bool) -> None:
    world, _ = await counted()
    said = await rebuilt(world, from_store=from_store)
    assert said[-1].endswith(f"{MANY} tickets (before {MANY}), every count as before")


@BOTH
async def test_what_the_consumers_have_not_applied_is_left_to_them(from_store: bool) -> None:
    log = log_of(told(1, "A"), told(1, "B"), tombstone("A"), told(3, "A"), tombstone("B"), patched(9, "C"))
    world, consumer = await counted(log[:2])
    await rebuilt(world, log, from_store=from_store)
    assert await world.counts("all") == (2,)
    assert world.positions == {0: 2}
    await consumer.consume(log[2:])
    assert await world.counts("all") == (1,)
    assert world.producer.places() == [(0, 5)]


@BOTH
async def test_a_tombstone_without_sequence_and_a_bad_record_are_met_once(from_store: bool) -> None:
    log = log_of(
        told(1, "A"), tombstone("A"), told(3, "A"), patched(9, "C"), told(1, "C"), deleted(7, "D"), told(6, "D")
    )
    world, _ = await counted(log)
    assert world.producer.places() == [(0, 3)]
    await rebuilt(world, log, from_store=from_store)
    assert await world.counts("all") == (2,)
    assert world.producer.places() == [(0, 3)], "a dead letter once"


@BOTH
async def test_what_changes_meanwhile_is_in_the_new_generation(from_store: bool) -> None:
    later = log_of(
        *(told(1, "x") for _ in LOG), told(2, "T1"), tombstone("T2"), told(1, "new"), tombstone("T4"), told(8, "T4")
    )
    log = [*LOG, *later[MANY:]]
    world, consumer = await counted()

    async def go_on() -> None:
        await consumer.consume(log[MANY:])

    world.store.before_load += [nothing, nothing, go_on]
    await rebuilt(world, log, from_store=from_store)
    assert world.store.before_load == [], "it happened"
    assert await world.counts("all", "vip") == (MANY, MANY // 2 - 1)


async def nothing() -> None:
    """Nothing is done before this call."""


@BOTH
async def test_a_filter_that_comes_into_force_meanwhile_is_counted(from_store: bool) -> None:
    world, consumer = await counted()
    process, _ = rebuild_of(world, from_store=from_store)

    async def edit() -> None:
        world.topic.publish(filter_entry("two", {"field": "category", "op": "ne", "value": "vip"}))
        await published_and_filled(world, consumer, VIP_REMOVED)

    world.store.before_load += [nothing, edit]
    await process.run([TENANT])
    assert await world.counts("all", "two") == (MANY, MANY - MANY // 2)


@BOTH
async def test_a_filter_that_is_removed_meanwhile_leaves_nothing_in_the_new_generation(from_store: bool) -> None:
    world, consumer = await counted()
    process, _ = rebuild_of(world, from_store=from_store)
    world.store.before_load += [nothing] * 3 + [lambda: published_and_filled(world, consumer, VIP_REMOVED)]
    await process.run([TENANT])
    assert world.store.before_load == [], "it happened"
    assert (await TenantAudit(world.store, consumer.clock).run(TENANT)).wrong_tickets == {}


@BOTH
async def test_nor_does_one_that_is_removed_while_no_rebuild_runs(from_store: bool) -> None:
    world, consumer = await counted()
    process, _ = rebuild_of(world, from_store=from_store)

    async def kill() -> None:
        raise Killed

    world.store.before_load += [nothing] * 3 + [kill]
    with pytest.raises(Killed):
        await process.run([TENANT])
    await published_and_filled(world, consumer, VIP_REMOVED)
    await rebuilt(world, from_store=from_store)
    assert (await TenantAudit(world.store, consumer.clock).run(TENANT)).wrong_tickets == {}


async def published_and_filled(world: SmallWorld, consumer: Pipeline, entry: Mapping[str, Any]) -> None:
    """Publishes an entry, and has the consumer ask all tickets about what it changes."""
    world.topic.publish(entry)
    await consumer.catch_up()
    while consumer.catalogue_sync.to_backfill:
        await consumer.backfill()


async def test_a_filter_that_is_still_being_filled_comes_into_force_after_the_swap() -> None:
    world, consumer = await counted()
    process, _ = rebuild_of(world)

    async def publish() -> None:
        world.topic.publish(filter_entry("two", {"field": "category", "op": "ne", "value": "vip"}))
        await consumer.catch_up()

    world.store.before_load += [nothing, publish]
    await process.run([TENANT])
    while consumer.catalogue_sync.to_backfill:
        await consumer.backfill()
    assert await world.counts("vip", "two") == (MANY // 2, MANY - MANY // 2)


@pytest.mark.parametrize("from_store", [False, True])
async def test_what_is_not_filled_yet_is_no_count_that_differs(from_store: bool) -> None:
    world, consumer = await counted()
    world.topic.publish(filter_entry("two", {"field": "category", "op": "ne", "value": "vip"}))
    await consumer.catch_up()
    assert (await rebuilt(world, from_store=from_store))[-1].endswith("every count as before")


async def test_killed_it_goes_on_where_it_was() -> None:
    world, _ = await counted()
    process, _ = rebuild_of(world)

    async def kill() -> None:
        raise Killed

    world.store.before_load += [nothing, nothing, nothing, kill]
    with pytest.raises(Killed):
        await process.run([TENANT])
    halfway = await world.store.building(TENANT)
    assert halfway is not None
    assert 0 < halfway.state.positions[0] < MANY
    said = await rebuilt(world)
    assert said[0] == f"{TENANT}: going on with generation {halfway.generation}"
    assert await generation(world) == halfway.generation
    assert await world.counts("all", "vip") == (MANY, MANY // 2)


async def test_two_at_once_do_no_harm() -> None:
    log = log_of(told(1, "A"), tombstone("A"), told(3, "A"), told(1, "B"), told(1, "C"), told(1, "D"))
    world, _ = await counted(log)
    (first, said), (second, _) = rebuild_of(world, log), rebuild_of(world, log)

    async def kill() -> None:
        raise Killed

    async def get_ahead() -> None:
        world.store.before_load += [nothing, kill]
        with pytest.raises(Killed):
            await second.run([TENANT])
        ahead = await world.store.building(TENANT)
        assert ahead is not None
        assert ahead.state.positions == {0: 4}

    world.store.before_load += [get_ahead]
    await first.run([TENANT])
    assert said[-1].endswith("4 tickets (before 4), every count as before")


async def test_what_can_not_be_gone_on_with_is_given_up_and_removed() -> None:
    world, _ = await counted()
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    old = Building(TENANT, "old", stored.generation, stored.record_version, {}, True, BucketState(TOPIC_ID, {}))
    assert await world.store.begin_building(TENANT, None, old)
    said = await rebuilt(world)
    assert said[0].endswith("begun, an abandoned one is dropped")
    assert await generation(world) != "old"
    assert list(await world.store.orphans()) == []


async def test_one_whose_deadlines_may_be_forgotten_begins_anew() -> None:
    world, _ = await counted()
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    old = Building(TENANT, "old", stored.generation, stored.record_version, {}, False, BucketState(TOPIC_ID, {}))
    assert await world.store.begin_building(TENANT, None, old)
    await world.store.merge_due(old, NOW_US + MERGE_AFTER_US, 10)
    process, said = rebuild_of(world, now=NOW_US + MERGE_AFTER_US - CLOCKS_APART_US)
    await process.run([TENANT])
    assert said[0].endswith("an abandoned one is dropped")
    assert await world.counts("all") == (MANY,)


async def test_a_swap_in_doubt_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = await counted()
    swap = world.store.swap

    async def timed_out(building: Building, record_version: str, latest: int) -> SwapOutcome:
        await swap(building, record_version, latest)
        raise StoreUnavailable("no answer in time")

    monkeypatch.setattr(world.store, "swap", timed_out)
    said = await rebuilt(world)
    assert said[-1] == f"{TENANT}: swapped"
    assert sum("begun" in one for one in said) == 1
    assert list(await world.store.orphans()) == []


async def test_it_says_so_when_it_can_not_catch_up(monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = await counted()
    before = await generation(world)

    async def moved_on(*_: object) -> SwapOutcome:
        return NotYet(BEHIND)

    monkeypatch.setattr(rebuilding, "FINISH_S", -1.0)
    monkeypatch.setattr(world.store, "swap", moved_on)
    with pytest.raises(RebuildRefused, match=r"changes faster than this process catches up .*run it again"):
        await rebuilt(world)
    assert await generation(world) == before
    assert await world.store.building(TENANT) is not None, "what it has is kept"


async def test_it_gives_way_before_the_store_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = await counted()
    monkeypatch.setattr(progress, "SAY_S", 0.0)
    world.store.limits = Memory(used=96, most=100)
    with pytest.raises(RebuildRefused, match="given up"):
        await rebuilt(world)
    assert await world.store.building(TENANT) is None
    assert await world.counts("all") == (MANY,)


async def test_a_rebuild_that_nobody_will_finish_can_be_removed() -> None:
    world, _ = await counted()
    process, _ = rebuild_of(world)
    assert not await process.give_up(TENANT)

    async def kill() -> None:
        raise Killed

    world.store.before_load += [nothing, kill]
    with pytest.raises(Killed):
        await process.run([TENANT])
    assert await process.give_up(TENANT)
    await process.settle()
    assert await world.store.building(TENANT) is None
    assert list(await world.store.orphans()) == []
    assert await world.counts("all") == (MANY,)


async def test_another_events_topic_and_a_tenant_that_goes_are_refused() -> None:
    world, consumer = await counted()

    async def remove() -> None:
        world.topic.publish(removal("tenant", TENANT))
        await consumer.catch_up()

    await world.store.adopt_topic(world.store.bucket(TENANT), "another")
    with pytest.raises(RebuildRefused, match=r"another events topic \(id another\)"):
        await rebuilt(world)
    world, consumer = await counted()
    world.store.before_load += [nothing, remove]
    with pytest.raises(RebuildRefused, match=f"there is no tenant {TENANT}"):
        await rebuilt(world)
    assert await world.store.building(TENANT) is None


@BOTH
async def test_a_deadline_is_met_by_a_consumer_that_has_not_heard_of_the_new_generation(from_store: bool) -> None:
    world = SmallWorld(tenant_entry(), filter_entry("late", {"field": "dueAt", "op": "before", "value": "@now"}))
    consumer = await world.consumer()
    log = log_of(told(1, dueAt="2026-11-21T10:15:10Z"))
    await consumer.consume(log)
    await rebuilt(world, log, from_store=from_store)
    consumer.clock.now = NOW_US + 60_000_000
    await consumer.timers.look()
    await consumer.timers.look()
    assert await counts(world.store, ("late",), now=consumer.clock.now) == (1,)


async def test_several_tenants_are_filled_in_one_pass() -> None:
    entries: list[Mapping[str, object]] = [tenant_entry(), tenant_entry("globex"), tenant_entry("initech3")]
    world = SmallWorld(*entries)
    log = log_of(
        *(told(1, f"T{number}", tenant=name) for number in range(9) for name in (TENANT, "globex", "initech3"))
    )
    consumer = await world.consumer()
    await consumer.consume(log)
    await consumer.tick({0: len(log)})
    process, said = rebuild_of(world, log, at_once=5)
    await process.run([TENANT, "globex", "initech3"])
    assert sum("swapped at version" in one for one in said) == 3
    for name in (TENANT, "globex", "initech3"):
        assert await world.counts("all", tenant=name) == (9,)
