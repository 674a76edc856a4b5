"""Backfills and audits give way to events and deadlines, whoever's they are, and still come to their end."""

import asyncio
from collections.abc import Sequence

import pytest

from consumers.audit import tenant_audit
from consumers.audit.cycle import AuditSchedule
from consumers.audit.tenant_audit import TenantAudit
from consumers.backfill import backfiller, generation_gc
from consumers.coordination import live_work
from consumers.coordination.live_work import LiveWork
from consumers.rebuild import filling
from service.store.page_size import PageSize
from service.store.ports.auditing import AuditAsk, AuditRead
from tests.consumers.small_world import NOW_US, SmallWorld, filter_entry, log_of, removal, tenant_entry, told
from tests.support.pipeline import Pipeline
from tests.support.rebuilds import rebuilding_over
from tests.support.waiting import wait_until

MANY = 30


@pytest.fixture(autouse=True)
def small_bites(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (backfiller, generation_gc):
        monkeypatch.setattr(module, "SCAN_BATCH", 4)
        monkeypatch.setattr(module, "REST_SHARE", 0.0)


async def unfilled() -> tuple[SmallWorld, Pipeline]:
    """A tenant with a filter that is still to be filled."""
    world = SmallWorld(tenant_entry())
    consumer = await world.consumer()
    await consumer.consume(log_of(*(told(1, f"T{n}") for n in range(MANY))))
    world.topic.publish(filter_entry())
    await consumer.catch_up()
    return world, consumer


async def test_a_backfill_takes_no_bite_while_something_live_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_work, "LONGEST_WAIT_S", 60)
    _, consumer = await unfilled()
    live: LiveWork = consumer.backfiller._live
    with live.under_way():
        with live.under_way():
            pass
        sweeping = asyncio.create_task(consumer.backfill())
        await wait_until(lambda: live._quiet._waiters, 10, "the backfill to wait")
        assert consumer.metrics.backfilled._value.get() == 0
    await sweeping
    assert consumer.metrics.backfilled._value.get() == MANY


async def test_a_backfill_goes_on_by_itself_under_a_load_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_work, "LONGEST_WAIT_S", 0.001)
    world, consumer = await unfilled()
    with consumer.backfiller._live.under_way():
        await consumer.backfill()
    assert await world.counts("vip") == (0,)


async def test_what_a_removed_tenant_left_is_collected_behind_live_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_work, "LONGEST_WAIT_S", 60)
    world, consumer = await unfilled()
    world.topic.publish(removal("tenant", "acme"))
    await consumer.catch_up()
    with consumer.backfiller._live.under_way():
        collecting_all = asyncio.create_task(consumer.backfiller._collect())
        await wait_until(lambda: consumer.backfiller._live._quiet._waiters, 10, "the collection to wait")
        assert await world.store.orphans()
    await collecting_all
    assert not await world.store.orphans()


async def test_a_deadline_is_live_work() -> None:
    late = {"field": "dueAt", "op": "before", "value": "@now"}
    world = SmallWorld(tenant_entry(), filter_entry("late", late))
    consumer = await world.consumer()
    await consumer.consume(log_of(told(1, dueAt="2027-01-01T00:00:00Z")))
    consumer.clock.now += 10**14
    live, seen = consumer.timers._live, []

    async def watched() -> None:
        seen.append(live._under_way)

    world.store.before_apply = [watched]
    while await world.counts("late") == (0,):
        await consumer.timers.look()
    assert seen == [1]
    assert live._under_way == 0


def test_a_page_shrinks_at_once_and_grows_step_by_step() -> None:
    size = PageSize(20, 200, 0.02)
    taken = []
    for cost in (0.001, 0.001, 0.015, 0.2, 0.001, 100.0, 0.001):
        taken.append(size.tickets)
        size.note(cost)
    assert taken == [20, 40, 80, 80, 8, 16, 1]
    for _ in range(20):
        size.note(0.0)
    assert size.tickets == 200


async def test_an_audit_reads_no_page_while_something_live_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_work, "LONGEST_WAIT_S", 60)
    world, consumer = await unfilled()
    await consumer.backfill()
    live, reads = LiveWork(), []
    read = world.store.audit

    async def watched(ask: AuditAsk) -> AuditRead | None:
        reads.append(ask)
        return await read(ask)

    monkeypatch.setattr(world.store, "audit", watched)
    schedule = AuditSchedule(world.store, consumer.leases, consumer.clock, consumer.metrics, range(64), 1.0, live=live)
    with live.under_way():
        auditing = asyncio.create_task(schedule.look())
        await wait_until(lambda: live._quiet._waiters, 10, "the audit to wait")
        assert not reads
    await auditing
    assert reads


async def test_pages_of_an_audit_and_bites_of_a_rebuild_shrink_where_they_are_dear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the loop's clock, which goes on by a second with each read of the store."""
    world, consumer = await unfilled()
    await consumer.backfill()
    loop, began = asyncio.get_running_loop(), 0.0
    monkeypatch.setattr(loop, "time", lambda: began)
    monkeypatch.setattr(tenant_audit, "REST_SHARE", 0.0)
    monkeypatch.setattr(filling, "REST_SHARE", 0.0)
    audit, scan = world.store.audit, world.store.scan
    limits: dict[str, list[int]] = {"audit": [], "rebuild": []}

    async def dear_audit(ask: AuditAsk) -> AuditRead | None:
        nonlocal began
        began += 1
        limits["audit"].append(ask.limit)
        return await audit(ask)

    async def dear_scan(tenant: str, generation: str, cursor: int, limit: int) -> tuple[int, Sequence[str]]:
        nonlocal began
        began += 1
        limits["rebuild"].append(limit)
        return await scan(tenant, generation, cursor, limit)

    monkeypatch.setattr(world.store, "audit", dear_audit)
    monkeypatch.setattr(world.store, "scan", dear_scan)
    await TenantAudit(world.store, consumer.clock).run("acme")
    await rebuilding_over(world.store, {}, NOW_US, [], from_store=True).run(["acme"])
    for limit in limits.values():
        assert limit[:2] == [20, 1]
