"""A small tenant with tickets, counted, in a store of each kind."""

from collections.abc import AsyncIterator

import pytest

from consumers.audit import tenant_audit
from service.store.redis.store import RedisStore, open_store
from tests.consumers.small_world import NOW_US, filter_entry, log_of, tenant_entry, told
from tests.fakes.memory_store import MemoryStore
from tests.support.pipeline import FakeProducer, Pipeline, published

TICKETS = 30
DUE = {"field": "dueAt", "op": "before", "value": "@now"}
SOON = {"field": "dueAt", "op": "within", "value": "this_week"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_audit, "PAGE", 7)
    monkeypatch.setattr(tenant_audit, "COUNTERS", 3)
    monkeypatch.setattr(tenant_audit, "REST_SHARE", 0.0)
    monkeypatch.setattr(tenant_audit, "AGAIN_S", 0.0)


@pytest.fixture(params=["memory", "redis"])
async def consumer(request: pytest.FixtureRequest) -> AsyncIterator[Pipeline]:
    """A consumer that has counted tickets of several people and teams, half of them due tomorrow."""
    if request.param == "memory":
        yield await counted(MemoryStore())
        return
    async with open_store(request.getfixturevalue("redis_db"), 4, timeout_s=10) as store:
        yield await counted(store)


async def counted(store: MemoryStore | RedisStore) -> Pipeline:
    entries = (tenant_entry(), filter_entry(), filter_entry("late", DUE), filter_entry("week", SOON))
    pipeline = Pipeline(store, published(entries), FakeProducer(), NOW_US)
    await pipeline.catch_up()
    while pipeline.catalogue_sync.to_backfill:
        await pipeline.backfill()
    await pipeline.consume(
        log_of(
            *(
                told(
                    1,
                    f"T{n}",
                    status="done" if n % 4 == 0 else "open",
                    category="vip" if n % 3 else "c",
                    assignee=f"u{n % 4}",
                    requester=f"u{n % 5}",
                    team=f"t{n % 2}",
                    dueAt="2026-11-22T10:15:00Z" if n % 2 else None,
                )
                for n in range(TICKETS)
            )
        )
    )
    while not all((state.timers or 0) >= NOW_US for state in (await store.states(range(4))).values()):
        await pipeline.timers.look()
    return pipeline
