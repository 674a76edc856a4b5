"""What is remembered between answers never lets anybody see what the store would refuse."""

import pytest

from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.view import CountRequest
from service.queries.counts import CountQueries, UnknownTenant
from tests.web.world import World, a_world

WANTED = CountRequest(Viewer("ann", Role.ADMIN), Perspective.TEMPLATE, ("all",))


@pytest.fixture
async def world() -> World:
    return await a_world()


async def test_an_answer_is_for_the_tenants_own_realm_also_when_the_tenant_is_remembered(world: World) -> None:
    queries = CountQueries(world.store, world.clock)
    assert (await queries.answer("acme", "helpdesk", WANTED)).counts == {"all": 5}
    for ask in (queries.view("acme", "other"), queries.answer("acme", "other", WANTED)):
        with pytest.raises(UnknownTenant):
            await ask
    with pytest.raises(UnknownTenant):
        await CountQueries(world.store, world.clock).answer("acme", "other", WANTED)


async def test_a_realm_is_read_again_after_a_second_and_when_the_clock_went_back(world: World) -> None:
    queries = CountQueries(world.store, world.clock)
    for moved_us, reads in ((0, 1), (999_999, 1), (1, 2), (-5, 3)):
        world.clock.now += moved_us
        assert await queries.realm("helpdesk") is not None
        assert len(world.store.reads) == reads


async def test_an_unchanged_realm_stays_the_same_object(world: World) -> None:
    queries = CountQueries(world.store, world.clock)
    first = await queries.realm("helpdesk")
    assert await queries.newest_realm("helpdesk") is first
    await world.put_realm(audience=("counts",))
    assert await queries.newest_realm("helpdesk") is not first
    await world.drop_realm()
    assert await queries.newest_realm("helpdesk") is None
    assert await queries.realm("helpdesk") is None
