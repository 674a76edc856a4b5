"""The clock of the consumers: what time changes is counted at its instant, never before it, and once."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from consumers.coordination import leases
from consumers.ingest import timers
from service.domain.tickets.instant import format_instant_exactly
from tests.consumers.small_world import NOW_US, TENANT, SmallWorld, deleted, filter_entry, log_of, removal, told
from tests.consumers.small_world import counts as counts_at
from tests.consumers.small_world import tenant_entry as tenant
from tests.support.pipeline import Pipeline
from tests.support.waiting import wait_until

SECOND = 1_000_000
OVERDUE = {"field": "dueAt", "op": "before", "value": "@now"}
TODAY = {"field": "createdAt", "op": "within", "value": "today"}


def text(at: int) -> str:
    return format_instant_exactly(at)


async def a_world(*filters: Any) -> tuple[SmallWorld, Pipeline]:
    world = SmallWorld(tenant(), *(filters or (filter_entry("late", OVERDUE),)))
    return world, await world.consumer()


async def at(consumer: Pipeline, now: int) -> None:
    """The consumer's clock comes to that instant, and it looks until nothing more is due."""
    consumer.clock.now = now
    while await consumer.timers.look():
        pass


def state(world: SmallWorld) -> Any:
    return world.store._states[world.store.bucket(TENANT)]


async def test_a_deadline_counts_at_its_instant_and_not_before() -> None:
    world, consumer = await a_world()
    await consumer.consume(log_of(told(1, dueAt=text(NOW_US + SECOND))))
    await at(consumer, NOW_US + SECOND)
    assert await world.counts("late") == (0,), "due means past it, not at it"
    assert state(world).timers == NOW_US + SECOND
    await at(consumer, NOW_US + SECOND + 1)
    assert await world.counts("late") == (1,)
    assert state(world).timers == NOW_US + SECOND + 1
    assert list(state(world).due.values()) == [NOW_US + SECOND + 4 * 86_400 * SECOND], (
        "when no today can mean it any more"
    )
    assert consumer.metrics.timers_fired._value.get() == 1


async def test_an_event_between_takes_the_deadline_along() -> None:
    world, consumer = await a_world()
    log = log_of(told(1, dueAt=text(NOW_US + SECOND)), told(2, dueAt=text(NOW_US + 9 * SECOND)), deleted(3))
    await consumer.consume(log[:1])
    await consumer.consume(log[1:2])
    await at(consumer, NOW_US + 5 * SECOND)
    assert await world.counts("late") == (0,)
    assert list(state(world).due.values()) == [NOW_US + 9 * SECOND + 1]
    await consumer.consume(log[2:])
    assert state(world).due == {}


async def test_an_event_is_judged_before_what_is_due_and_not_yet_applied() -> None:
    """Else the answer would have some of what time changes by then, and not all."""
    world, consumer = await a_world()
    log = log_of(
        told(1, "T1", dueAt=text(NOW_US + SECOND)), told(1, "T2", dueAt=text(NOW_US + 2 * SECOND)), told(1, "T3")
    )
    await consumer.consume(log[:1])
    consumer.clock.now = NOW_US + 5 * SECOND
    await consumer.consume(log[1:])
    assert await world.counts("all", "late") == (3, 0)
    assert state(world).timers == NOW_US + SECOND, "the instant before the first one changes"
    await at(consumer, NOW_US + 5 * SECOND)
    assert await world.counts("all", "late") == (3, 2)
    assert state(world).timers == NOW_US + 5 * SECOND


async def test_two_clocks_at_once_apply_each_change_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "ASK_AGAIN_S", 0.0)
    world, first = await a_world()
    second = await world.consumer()
    await first.consume(log_of(*(told(1, f"T{n}", dueAt=text(NOW_US + n)) for n in range(60))))
    version = world.store._tenants[TENANT].version
    for consumer in (first, second):
        consumer.clock.now = NOW_US + SECOND

        async def mine(bucket: int) -> bool:
            return True

        monkeypatch.setattr(consumer.leases, "mine", mine)
    await asyncio.gather(first.timers.look(), second.timers.look())
    await asyncio.gather(first.timers.look(), second.timers.look())
    assert await world.counts("all", "late") == (60, 60)
    assert world.store._tenants[TENANT].version == version + 1
    assert first.metrics.negative_cells._value.get() == second.metrics.negative_cells._value.get() == 0


async def test_only_the_holder_of_the_lease_looks() -> None:
    world, first = await a_world()
    second = await world.consumer()
    await first.consume(log_of(told(1, dueAt=text(NOW_US))))
    await at(first, NOW_US - SECOND)
    await at(second, NOW_US + SECOND)
    assert await world.counts("late") == (0,)
    world.store._clock_ms = lambda: 60_000  # the first one is gone
    world.store._leases = {}
    second.leases._known = {}
    await at(second, NOW_US + SECOND)
    assert await world.counts("late") == (1,)


async def test_a_crowd_at_one_instant_goes_in_pages_and_others_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "PAGE", 10)
    world, consumer = await a_world()
    crowd = [told(1, f"T{n}", dueAt=text(NOW_US + SECOND)) for n in range(35)]
    early = [told(1, f"E{n}", dueAt=text(NOW_US + n)) for n in range(3)]
    log = log_of(*crowd, *early, told(2, "T7", dueAt=text(NOW_US + 60 * SECOND)), told(1, "new"))
    await consumer.consume(log[:38])
    consumer.clock.now = NOW_US + 2 * SECOND
    assert await consumer.timers.look()
    assert (await world.counts("late"), state(world).timers) == ((3,), NOW_US + SECOND), "all before the crowd, whole"
    assert await consumer.timers.look()
    assert (await world.counts("late"), state(world).timers) == ((13,), NOW_US + SECOND)
    await consumer.consume(log[38:])
    await at(consumer, NOW_US + 2 * SECOND)
    assert await world.counts("all", "late") == (39, 37)
    assert state(world).timers == NOW_US + 2 * SECOND


async def test_what_is_due_of_a_removed_tenant_holds_nobody_up() -> None:
    world, consumer = await a_world()
    await consumer.consume(log_of(told(1, dueAt=text(NOW_US + SECOND))))
    world.topic.publish(removal("tenant", TENANT))
    await consumer.catch_up()
    await at(consumer, NOW_US + 2 * SECOND)
    await at(consumer, NOW_US + 2 * SECOND)
    assert state(world).due == {}
    await at(consumer, NOW_US + 3 * SECOND)
    assert state(world).timers == NOW_US + 3 * SECOND


async def test_what_is_due_of_a_ticket_that_there_isnt_is_forgotten_unless_it_comes() -> None:
    world, consumer = await a_world()
    await consumer.consume(log_of(told(1, "T1")))
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    for name in ("ghost", "late"):
        state(world).due[TENANT, stored.generation, name] = NOW_US + SECOND
    log = log_of(told(1, "T1"), told(1, "late", dueAt=text(NOW_US + 60 * SECOND)))

    async def it_comes() -> None:
        await consumer.consume(log[1:])

    world.store.before_apply.append(it_comes)  # between what the clock read and what it writes
    await at(consumer, NOW_US + SECOND)
    await at(consumer, NOW_US + SECOND)
    assert {place[2]: due_at for place, due_at in state(world).due.items() if place[2] != "T1"} == {
        "late": NOW_US + 60 * SECOND + 1
    }


async def test_created_today_ends_at_each_viewers_midnight_and_is_forgotten_in_time() -> None:
    """10:15 in UTC is 16:00 in Kathmandu and 05:15 in New York."""
    world, consumer = await a_world(filter_entry("new", TODAY))
    await consumer.consume(log_of(told(1, createdAt=text(NOW_US))))
    hour = 3_600 * SECOND

    async def today(zone: str, now: int) -> int:
        return (await counts_at(world.store, ["new"], now=now, zone=zone))[0]

    assert [await today(zone, NOW_US + 8 * hour - 1) for zone in ("Asia/Kathmandu", "America/New_York")] == [1, 1]
    assert [await today(zone, NOW_US + 8 * hour) for zone in ("Asia/Kathmandu", "America/New_York")] == [0, 1]
    assert [await today(zone, NOW_US + 19 * hour) for zone in ("Asia/Kathmandu", "America/New_York")] == [0, 0]
    await at(consumer, NOW_US + 10 * 24 * hour)
    assert world.store._tenants[TENANT].timed == {}
    assert state(world).due == {}
    assert await world.counts("all") == (1,)


async def test_a_filter_on_two_fields_days_is_counted_for_a_zone_once_asked_for_and_for_the_next_day_in_time() -> None:
    due_today = {"field": "dueAt", "op": "within", "value": "today"}
    world, consumer = await a_world(filter_entry("both", {"all": [TODAY, due_today]}))
    hour = 3_600 * SECOND
    await consumer.consume(log_of(told(1, createdAt=text(NOW_US), dueAt=text(NOW_US + hour))))
    ask = ("", "both", "Asia/Kathmandu")
    await world.store.note_demands(TENANT, [ask], NOW_US, missing=True)
    await consumer.backfill()
    assert await counts_at(world.store, ["both"], now=NOW_US, zone="Asia/Kathmandu") == (1,)
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    assert {one.day.date for one in stored.record.newest.dated} == {"2026-11-21"}
    await at(consumer, NOW_US + 7 * hour)
    await consumer.backfill()
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    assert {one.day.date for one in stored.record.newest.dated} == {"2026-11-21", "2026-11-22"}
    assert await counts_at(world.store, ["both"], now=NOW_US + 8 * hour, zone="Asia/Kathmandu") == (0,)
    await at(consumer, NOW_US + 30 * hour)
    await consumer.backfill()
    await consumer.backfill()
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    assert stored.record.newest.dated == frozenset(), "nobody asked for a day"


async def test_an_unreachable_broker_does_not_end_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant that was removed while its tickets are due is looked up in the catalogue topic."""
    world, consumer = await a_world()
    await consumer.consume(log_of(told(1, dueAt=text(NOW_US + SECOND))))
    failures: list[Exception] = [KafkaConnectionError(), TimeoutError()]

    async def unreachable(bucket: int, *arguments: Any, **more: Any) -> int:
        if failures:
            raise failures.pop()
        return await fire(bucket, *arguments, **more)

    fire = consumer.reevaluation.fire
    monkeypatch.setattr(consumer.reevaluation, "fire", unreachable)
    consumer.clock.now = NOW_US + 2 * SECOND
    clock = asyncio.create_task(consumer.timers.run())
    try:
        await wait_until(lambda: clock.done() or consumer.metrics.timers_fired._value.get(), 10, "the deadline")
        assert not clock.done(), clock
        assert await world.counts("late") == (1,)
    finally:
        clock.cancel()
        await asyncio.gather(clock, return_exceptions=True)
