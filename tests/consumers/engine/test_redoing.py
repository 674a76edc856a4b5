"""What the store refuses because somebody else was quicker is done again, with pauses that grow."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from consumers.backoff import REDO_FIRST_S, REDO_LONGEST_S
from service import timezones
from service.store.ports.catalogue import StoredTenant
from service.store.ports.steps import Batch, Conflict, DueConflict, Outcome
from tests.consumers.small_world import (
    NOW_US,
    TENANT,
    MeddledStore,
    SmallWorld,
    filter_entry,
    log_of,
    removal,
    tenant_entry,
    told,
)
from tests.support.pipeline import Pipeline
from tests.support.rebuilds import rebuilding_over

REFUSALS = 8
SHORTEST_S = 0.8 * sum(min(REDO_FIRST_S * 2**number, REDO_LONGEST_S) for number in range(REFUSALS))
"""What the pauses come to at least; a slow machine only adds to it."""

LOG = log_of(told(1), told(1, "T2", category="vip"))
PROFILE = {
    "kind": "profile",
    "value": {"id": "p", "tenant": TENANT, "name": "P", "where": {"field": "team", "op": "eq", "value": "x"}},
}


class Contended(MeddledStore):
    """Somebody else is quicker, so many times in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = self.refused = 0
        self.outcome: Outcome = DueConflict()

    def refuses(self) -> bool:
        if self.refused == self.refusals:
            return False
        self.refused += 1
        return True

    async def apply(self, batch: Batch) -> Outcome:
        return self.outcome if batch.tenants and self.refuses() else await super().apply(batch)

    async def apply_building(self, batch: Batch) -> Outcome:
        return self.outcome if batch.tenants and self.refuses() else await super().apply_building(batch)

    async def put_tenant(self, tenant: str, expected: str | None, new: StoredTenant) -> bool:
        return False if self.refuses() else await super().put_tenant(tenant, expected, new)

    async def drop_tenant(self, tenant: str, expected: str) -> bool:
        return False if self.refuses() else await super().drop_tenant(tenant, expected)


class ContendedWorld(SmallWorld):
    """A small world over such a store."""

    def __init__(self) -> None:
        super().__init__(tenant_entry(), filter_entry(), PROFILE)
        self.contended = self.store = Contended()


Work = Callable[[ContendedWorld, Pipeline], Awaitable[object]]


async def more_events(world: ContendedWorld, consumer: Pipeline) -> None:
    await consumer.consume([replace(one, offset=one.offset + len(LOG)) for one in log_of(told(2), told(3))])


async def a_backfill(world: ContendedWorld, consumer: Pipeline) -> None:
    await consumer.reevaluation.touch(TENANT, ["T1", "T2"])


async def an_edit(world: ContendedWorld, consumer: Pipeline) -> None:
    world.topic.publish(filter_entry("new"))
    await consumer.catch_up()


async def a_removal(world: ContendedWorld, consumer: Pipeline) -> None:
    world.topic.publish(removal("tenant", TENANT))
    await consumer.catch_up()


async def columns_asked_for(world: ContendedWorld, consumer: Pipeline) -> None:
    await world.store.note_demands(TENANT, [("p", "vip", "")], NOW_US, missing=True)
    await consumer.on_demand_columns.look(consumer.backfiller._may)


async def a_rebuild(world: ContendedWorld, consumer: Pipeline) -> None:
    await rebuilding_over(world.store, {0: LOG}, NOW_US, []).run([TENANT])


@pytest.mark.parametrize("outcome", [DueConflict(), Conflict(((TENANT, "T1"),))], ids=["due_conflict", "conflict"])
@pytest.mark.parametrize("work", [more_events, a_backfill, a_rebuild])
async def test_a_batch_that_is_refused_is_tried_again_with_pauses(work: Work, outcome: Outcome) -> None:
    await redone_with_pauses(work, outcome)


@pytest.mark.parametrize("work", [an_edit, a_removal, columns_asked_for])
async def test_a_record_that_is_refused_is_tried_again_with_pauses(work: Work) -> None:
    await redone_with_pauses(work, DueConflict())


async def redone_with_pauses(work: Work, outcome: Outcome) -> None:
    world = ContendedWorld()
    consumer = await world.consumer()
    await consumer.consume(LOG)
    timezones.names()  # read once, which takes as long as some pauses
    world.contended.outcome, world.contended.refusals = outcome, REFUSALS
    loop = asyncio.get_running_loop()
    began = loop.time()
    await work(world, consumer)
    assert world.contended.refused == REFUSALS
    assert loop.time() - began >= SHORTEST_S
