"""Rebuilds while a random world goes through the consumers, killed anywhere: every answer is the recount's.

Each world takes three times as long as without rebuilds, so a third of them are drawn.
"""

import asyncio
import os
from collections.abc import Iterator

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.backfill import backfiller
from consumers.coordination import leases
from consumers.ingest import timers
from consumers.rebuild import build_step, filling, rebuilding
from service.store.redis.building import RedisBuildingStore, open_building_store
from tests.oracle.generated.choices import SeededChoices
from tests.oracle.generated.worlds import Shape, World, seeded_world, worlds
from tests.oracle.recount import Recount
from tests.properties.driving import Drive, InterleavedStore
from tests.properties.test_worlds import accepted, compare, compare_on_the_way, delete_everything, want_all_profiles
from tests.support.examples import examples
from tests.support.rebuilds import rebuilding_over

BuiltStore = InterleavedStore | RedisBuildingStore

WORLDS = int(os.environ.get("TICKET_COUNTS_TEST_WORLDS") or examples(50)) // 3 + 1
REDIS_WORLDS = max(4, WORLDS // 20)
FLAT = Shape(edits=True, shadows=True, bad=True)
TIMED = Shape(language="full", times=True, edits=True, shadows=True)

many = settings(
    max_examples=WORLDS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
limit = pytest.mark.timeout(60 + 3 * WORLDS)
large = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # a world is as large as it is

LONGER_THAN_ANY_JUMP_US = 200 * 86_400 * 1_000_000
"""The clock of these worlds jumps by days while a swap is under way, which no clock does."""

DONE_S = 20.0
"""Far longer than any rebuild of a few tickets takes once nothing else moves."""


@pytest.fixture(autouse=True, scope="module")
def small_bites() -> Iterator[None]:
    """Everything takes several bites even of a few tickets, and rests for nobody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backfiller, "SCAN_BATCH", 2)
        patch.setattr(filling, "SCAN_BATCH", 2)
        patch.setattr(timers, "PAGE", 3)
        patch.setattr(build_step, "PAGE", 3)
        patch.setattr(rebuilding, "MERGE_BATCH", 1)
        patch.setattr(rebuilding, "MERGE_AFTER_US", LONGER_THAN_ANY_JUMP_US)
        patch.setattr(rebuilding, "CLOCKS_APART_US", 0)
        patch.setattr(leases, "LEASE_MS", 25)
        patch.setattr(leases, "ASK_AGAIN_S", 0.0)
        patch.setattr(backfiller, "REST_SHARE", 0.0)
        yield


@limit
@large
@many
@given(worlds(FLAT), st.integers(0, 2**32), st.booleans())
def test_a_flat_world_that_is_rebuilt_meanwhile_is_right_at_every_moment(
    world: World, seed: int, from_store: bool
) -> None:
    asyncio.run(rebuilt_in_memory(world, seed, from_store))


@limit
@large
@many
@given(worlds(TIMED), st.integers(0, 2**32), st.booleans())
def test_a_world_with_deadlines_that_is_rebuilt_meanwhile_is_right_at_every_moment(
    world: World, seed: int, from_store: bool
) -> None:
    asyncio.run(rebuilt_in_memory(world, seed, from_store))


@limit
@pytest.mark.parametrize("from_store", [False, True], ids=["from the log", "from the store"])
@pytest.mark.parametrize("shape", [FLAT, TIMED], ids=["flat", "timed"])
async def test_the_same_over_redis(shape: Shape, from_store: bool, redis_db: str) -> None:
    with redis.Redis.from_url(redis_db) as client:
        for seed in range(REDIS_WORLDS):
            choices = SeededChoices(seed)
            async with open_building_store(redis_db, choices.integer(1, 4), timeout_s=5) as store:
                await rebuilt(seeded_world(seed, shape), store, choices, from_store)
            left = [key for key in client.scan_iter() if b":count:" in key or b":building" in key]
            assert left == []
            client.flushdb()


async def rebuilt_in_memory(world: World, seed: int, from_store: bool) -> None:
    choices = SeededChoices(seed)
    await rebuilt(world, InterleavedStore(choices, choices.integer(1, 4)), choices, from_store)


async def rebuilt(world: World, store: BuiltStore, choices: SeededChoices, from_store: bool) -> None:
    """Sends the world through beside rebuilds that are killed, compares on the way, lets the last one end."""
    run = Drive(world, store, choices)
    run.prepare()
    await asyncio.gather(*(worker.catch_up() for worker in run.workers))  # so that every tenant is there
    rebuilds = Rebuilds(run, store, choices, from_store)
    while not run.done:
        await run.some_steps()
        await rebuilds.some_steps()
        if choices.chance(25):
            await compare_on_the_way(run)
    await run.finish()
    letters = len(run.producer.sent)
    before = {name: stored.generation for name in rebuilds.tenants if (stored := await store.tenant(name))}
    await rebuilds.finish()
    for name, generation in before.items():
        stored = await store.tenant(name)
        assert stored is not None
        assert stored.generation != generation, "it was rebuilt"
        assert await store.building(name) is None
    assert [one for one in await store.orphans() if one[0] in before] == []
    assert len(run.producer.sent) == letters, "a rebuild parks nothing"
    oracle = Recount(accepted(run))
    oracle.feed(run.log)
    await run.settle()
    await want_all_profiles(run, oracle)
    for ask in world.requests:
        assert await compare(run, oracle, ask)
    await delete_everything(run, oracle)
    assert sum(worker.metrics.negative_cells._value.get() for worker in run.workers) == 0


class Rebuilds:
    """Rebuilds all tenants again and again, one process after another."""

    def __init__(self, run: Drive, store: BuiltStore, choices: SeededChoices, from_store: bool) -> None:
        self._run, self._store, self._choices, self._from_store = run, store, choices, from_store
        self._task: asyncio.Task[None] | None = None
        self.tenants = sorted({item["value"]["id"] for item in run.world.catalogue if item["kind"] == "tenant"})

    async def some_steps(self) -> None:
        """Begins one where there is none, lets it work for a while, and kills it now and then."""
        if self._task is not None and self._task.done():
            await self._task
            self._task = None
        if self._task is None and self._choices.chance(40):
            self._task = asyncio.create_task(self._rebuild())
        for _ in range(self._choices.integer(0, 40)):
            await asyncio.sleep(0)
        if self._task is not None and self._choices.chance(15):
            await self._kill()

    async def finish(self) -> None:
        """One that nobody kills, while nothing else moves."""
        await self._kill()
        async with asyncio.timeout(DONE_S):
            await self._rebuild()

    async def _kill(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            for result in await asyncio.gather(task, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result

    async def _rebuild(self) -> None:
        size = self._choices.pick((1000, 3, 1))
        rebuilding = rebuilding_over(
            self._store, self._run.partitions, self._run.now_us, [], from_store=self._from_store, at_once=size
        )
        await rebuilding.run(self.tenants)
