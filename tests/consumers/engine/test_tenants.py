"""Looking a tenant up writes nothing; synchronizing it with the catalogue does."""

import pytest

from consumers.engine.reevaluation import Reevaluation
from consumers.engine.tenants import Tenants
from consumers.metrics import ConsumerMetrics
from service.store.ports.catalogue import StoredTenant
from tests.consumers.small_world import TENANT, MeddledStore, SmallWorld, log_of, told
from tests.support.pipeline import TOPIC_ID


class Written(Exception):
    """A tenant's record was to be written."""


class KeptRecords(MeddledStore):
    """Refuses to write a tenant's record once it is told to keep them."""

    keeps = False

    async def put_tenant(self, tenant: str, expected: str | None, new: StoredTenant) -> bool:
        if self.keeps:
            raise Written
        return await super().put_tenant(tenant, expected, new)

    async def drop_tenant(self, tenant: str, expected: str) -> bool:
        if self.keeps:
            raise Written
        return await super().drop_tenant(tenant, expected)


class KeptWorld(SmallWorld):
    """A small world over such a store."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = self.store = KeptRecords()


async def test_a_tenant_that_is_looked_up_is_synchronized_only_when_that_is_asked_for() -> None:
    world = KeptWorld()
    consumer = await world.consumer(catch_up=False)
    world.kept.keeps = True
    assert consumer.tenants.get(TENANT) is None
    with pytest.raises(Written):
        await consumer.tenants.synchronized([TENANT])
    world.kept.keeps = False
    synchronized = await consumer.tenants.synchronized([TENANT, "nobody"])
    assert synchronized == {TENANT: consumer.tenants.get(TENANT)}


async def test_a_repair_writes_tickets_and_no_tenant_s_record_though_it_knows_no_catalogue() -> None:
    world = KeptWorld()
    consumer = await world.consumer()
    await consumer.consume(log_of(told(1, category="vip")))
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    world.kept.keeps = True
    repairing = Reevaluation(world.store, Tenants(world.store.tenant), consumer.clock, ConsumerMetrics(), TOPIC_ID)
    applied = len(world.store.applied)
    await repairing.repair(TENANT, stored.generation, ["T1"])
    await repairing.repair("nobody", stored.generation, ["T1"])
    assert [one.tenants[0].writes[0].ticket for one in world.store.applied[applied:]] == ["T1"]
    assert await world.store.tenant(TENANT) == stored
