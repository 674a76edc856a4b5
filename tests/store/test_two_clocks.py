"""Two consumers' clocks over one real Redis, by the real time: never early, at most a second late, each change once."""

import asyncio

from consumers.coordination.leases import Leases
from consumers.ingest.timers import Timers
from service.clock import SystemClock
from service.domain.tickets.instant import format_instant_exactly
from service.store.redis.store import RedisStore
from tests.consumers.small_world import TENANT, counts, filter_entry, log_of, tenant_entry, told
from tests.support.pipeline import FakeProducer, Pipeline, published

OVERDUE = {"field": "dueAt", "op": "before", "value": "@now"}
TICKETS, APART_US = 60, 40_000
FIRST_US = 1_000_000
LATEST_US = 1_000_000
"""By the contract."""


class BothHold(Leases):
    """Every bucket is everybody's: as when a lease has gone to the next one and the last one doesn't know."""

    async def mine(self, bucket: int) -> bool:
        return True


async def test_deadlines_are_counted_in_time_and_once_by_two_clocks(redis_store: RedisStore) -> None:
    clock, topic = SystemClock(), published((tenant_entry(), filter_entry("late", OVERDUE)))
    assert await redis_store.drop_tenant(TENANT, "t1")
    consumers = [Pipeline(redis_store, topic, FakeProducer(), clock.now_us()) for _ in range(2)]
    for each in consumers:
        await each.catch_up()
        each.step._engine._clock = each.reevaluation._engine._clock = clock
    while consumers[0].catalogue_sync.to_backfill:
        await consumers[0].backfill()
    first = clock.now_us() + FIRST_US
    dues = [first + number * APART_US for number in range(TICKETS)]
    await consumers[0].consume(
        log_of(*(told(1, f"T{n}", dueAt=format_instant_exactly(due)) for n, due in enumerate(dues)))
    )
    buckets = range(redis_store.buckets)
    clocks = [
        Timers(redis_store, each.reevaluation, BothHold(redis_store), clock, each.metrics, buckets)
        for each in consumers
    ]
    running = [asyncio.create_task(each.run()) for each in clocks]
    try:
        found = 0
        while found < TICKETS:
            before = clock.now_us()
            found = (await counts(redis_store, ["late"]))[0]
            after = clock.now_us()
            assert found <= sum(due < after for due in dues), "early"
            assert found >= sum(due < before - LATEST_US for due in dues), "late"
            await asyncio.sleep(0.02)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    assert await counts(redis_store, ["all", "late"]) == (TICKETS, TICKETS)
    assert sum(each.metrics.negative_cells._value.get() for each in consumers) == 0
