"""Whether there is room for a second generation: asked of each server of the store for what it has."""

from collections.abc import Mapping

import pytest

from consumers.errors import RebuildRefused
from consumers.rebuild.memory_budget import MIB, MemoryBudget
from service.store.ports.building import Memory
from service.store.ports.steps import Batch, Runs, TicketWrite
from tests.fakes.memory_building import MemoryBuildingStore
from tests.store.contract import ELSEWHERE, NEW, NOW, TENANT, TOPIC, stored, tenant_batch, ticket_state

FULL = Memory(80 * MIB, 100 * MIB)
ROOMY = Memory(10 * MIB, 100 * MIB)


class SpreadStore(MemoryBuildingStore):
    """Two servers: one has the tenant's bucket, the other all others."""

    def __init__(self, memories: Mapping[str, Memory]) -> None:
        super().__init__()
        self._memories = {"one": ROOMY, "other": ROOMY, **memories}

    async def runs(self) -> Runs:
        mine = self.bucket(TENANT)
        return Runs(tuple("one" if bucket == mine else "other" for bucket in range(self.buckets)), "other")

    async def memory(self, bucket: int) -> Memory:
        return self._memories[(await self.runs()).buckets[bucket]]


async def filled(**memories: Memory) -> MemoryBudget:
    store = SpreadStore(memories)
    for name in (TENANT, ELSEWHERE):
        assert await store.put_tenant(name, None, stored(tenant=name))
        write = TicketWrite("t", NEW, ticket_state())
        await store.apply(Batch(store.bucket(name), TOPIC, {}, [tenant_batch(None, write, tenant=name)], NOW))
    return MemoryBudget(store, store.buckets)


async def test_a_tenant_needs_room_where_it_is_alone() -> None:
    room = await filled(one=FULL)
    await room.check_before([ELSEWHERE])
    for tenants in ([TENANT], [TENANT, ELSEWHERE]):
        with pytest.raises(
            RebuildRefused, match=r"80 MiB of 100, and a second generation of 1 tenant\(s\) takes some 80 MiB"
        ):
            await room.check_before(tenants)
    await (await filled(other=FULL)).check_before([TENANT])


async def test_a_server_without_a_limit_has_room() -> None:
    await (await filled(one=Memory(80 * MIB, 0))).check_before([TENANT])


@pytest.mark.parametrize("name", ["one", "other"])
async def test_any_server_that_has_become_too_full_stops_a_rebuild(name: str) -> None:
    room = await filled(**{name: Memory(96 * MIB, 100 * MIB)})
    with pytest.raises(RebuildRefused, match="96 MiB of 100: the new generation is given up"):
        await room.check([])
    await (await filled()).check([])
