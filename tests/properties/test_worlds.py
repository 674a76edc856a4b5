"""The whole path from records to numbers against the recount, over random worlds. Uses no Kafka.

`TICKET_COUNTS_TEST_WORLDS` says how many worlds each property draws; the long run is 1000.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.backfill import backfiller
from consumers.coordination import leases
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.tenant_entries import ColumnDemand as AskedFor
from service.domain.tenants.view import SUMMARY_KEYS, CountRequest, InvalidIds, TenantView, Warming
from service.store.ports.counter_store import CounterStore
from service.store.ports.reading import query_for
from service.store.redis.store import open_store
from tests.oracle.generated.choices import SeededChoices
from tests.oracle.generated.worlds import Ask, Shape, World, seeded_world, worlds
from tests.oracle.published.records import Record
from tests.oracle.recount import Recount, strongest
from tests.properties.driving import Drive, InterleavedStore
from tests.support.days import day
from tests.support.examples import examples

WORLDS = int(os.environ.get("TICKET_COUNTS_TEST_WORLDS") or examples(50))
REDIS_WORLDS = max(8, WORLDS // 20)
FLAT = Shape(edits=True, shadows=True, bad=True)
FULL = Shape(language="full", edits=True, shadows=True)
TIMED = Shape(language="full", times=True, edits=True, shadows=True)

MANY_FILTERS = Shape(language="full", times=True, tenants=1, filters=500)

many = settings(
    max_examples=WORLDS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
limit = pytest.mark.timeout(60 + 3 * WORLDS)
large = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # a world is as large as it is


@pytest.fixture(autouse=True, scope="module")
def small_bites() -> Iterator[None]:
    """A backfill takes several bites even of a few tickets, rests for nobody, and a lease left behind ends soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backfiller, "SCAN_BATCH", 2)
        patch.setattr(leases, "LEASE_MS", 25)
        patch.setattr(leases, "ASK_AGAIN_S", 0.0)
        patch.setattr(backfiller, "REST_SHARE", 0.0)
        yield


@limit
@large
@many
@given(worlds(FLAT), st.integers(0, 2**32))
def test_every_count_of_a_flat_world_equals_the_recount(world: World, seed: int) -> None:
    asyncio.run(drive_in_memory(world, seed))


@limit
@large
@many
@given(worlds(FULL), st.integers(0, 2**32))
def test_every_count_of_a_world_of_the_full_language_equals_the_recount(world: World, seed: int) -> None:
    asyncio.run(drive_in_memory(world, seed))


@limit
@large
@many
@given(worlds(TIMED), st.integers(0, 2**32))
def test_every_count_equals_the_recount_at_the_instant_that_deadlines_are_applied_through(
    world: World, seed: int
) -> None:
    asyncio.run(drive_in_memory(world, seed))


@pytest.mark.timeout(180)
@pytest.mark.exhaustive
async def test_five_hundred_filters_in_one_tenant_count_exactly() -> None:
    """As many as a large tenant has saved over the years, edited while events and time go on."""
    large_ones = (seeded_world(seed, MANY_FILTERS) for seed in range(100))
    found = next(one for one in large_ones if sum(item["kind"] == "filter" for item in one.catalogue) >= 450)
    await drive_in_memory(found, 500)


@limit
@pytest.mark.parametrize("shape", [FLAT, FULL, TIMED], ids=["flat", "full", "timed"])
async def test_the_same_over_redis(shape: Shape, redis_db: str) -> None:
    with redis.Redis.from_url(redis_db) as client:
        for seed in range(REDIS_WORLDS):
            choices = SeededChoices(seed)
            async with open_store(redis_db, choices.integer(1, 4), timeout_s=5) as store:
                await drive(seeded_world(seed, shape), store, choices)
            assert [key for key in client.scan_iter() if b":count:" in key] == []
            client.flushdb()


async def drive_in_memory(world: World, seed: int) -> None:
    choices = SeededChoices(seed)
    store = InterleavedStore(choices, choices.integer(1, 4))
    await drive(world, store, choices)
    assert [tenant.counters for tenant in store._tenants.values() if tenant.counters] == []


async def drive(world: World, store: CounterStore, choices: SeededChoices) -> None:
    """Sends the world through, compares on the way and at the end, then deletes all there is."""
    run = Drive(world, store, choices)
    run.prepare()
    while not run.done:
        await run.some_steps()
        if choices.chance(25):
            await compare_on_the_way(run)
    await run.finish()
    oracle = Recount(accepted(run))
    oracle.feed(run.log)
    await want_all_profiles(run, oracle)
    for ask in world.requests:
        assert await compare(run, oracle, ask)
    dead = [(item.partition, item.offset) for item, _ in oracle.dead_letters if isinstance(item, Record)]
    assert sorted(set(run.producer.places())) == sorted(dead)
    await delete_everything(run, oracle)
    assert sum(worker.metrics.negative_cells._value.get() for worker in run.workers) == 0


def accepted(run: Drive, end: int | None = None) -> list[Mapping[str, Any]]:
    """What was published below that offset; a good catalogue is never refused."""
    assert not any(worker.refused for worker in run.workers)
    return list(run.catalogue[:end])


async def compare_on_the_way(run: Drive) -> None:
    """What is answered now is what the recount says at the positions and the catalogue that the answer names."""
    for ask in run.world.requests[:: max(1, len(run.world.requests) // 4)]:
        stored = await run.store.tenant(ask.tenant)
        if stored is None:
            continue
        version = stored.record.version
        oracle = Recount(accepted(run, version + 1))
        states = await run.store.states([run.store.bucket(ask.tenant)])
        positions = next(iter(states.values())).positions
        oracle.feed(record for record in run.log if record.offset < positions.get(record.partition, 0))
        await compare(run, oracle, ask)


async def want_all_profiles(run: Drive, oracle: Recount) -> None:
    """Asks for every pair of profile and filter that has no columns yet, as the service does."""
    missing: list[tuple[str, tuple[AskedFor, ...]]] = []
    for ask in run.world.requests:
        try:
            (await viewed(run, ask)).plan(wanted_of(ask, oracle), day(ask.timezone, await now_of(run, ask)))
        except Warming as warming:
            missing.append((ask.tenant, warming.demands))
    for tenant, demands in missing:
        assert demands, "nothing may still be warming but what has columns only when it is asked for"
        await run.store.note_demands(tenant, demands, run.world.now_us, missing=True)
    await run.settle()


async def compare(run: Drive, oracle: Recount, ask: Ask) -> bool:
    """Whether it can be answered by now; then the answer is the recount's."""
    wanted = wanted_of(ask, oracle)
    stored = await run.store.tenant(ask.tenant)
    assert stored is not None
    now_us = await now_of(run, ask)
    today = day(ask.timezone, now_us)
    try:
        plan = TenantView(stored.record).plan(wanted, today)
    except (Warming, InvalidIds):
        return False
    snapshot = await run.store.snapshot(query_for(ask.tenant, stored.record_version, stored.generation, plan, today))
    if snapshot is None:  # rebuilt in between: whoever reads asks again
        swapped = await run.store.tenant(ask.tenant)
        assert swapped is not None
        assert swapped.generation != stored.generation
        return await compare(run, oracle, ask)
    sums = plan.evaluate(snapshot.columns, snapshot.counters, snapshot.timed)
    ids = wanted.filter_ids
    expected = oracle.counts(ask.tenant, ask.viewer, ask.perspective, ids, wanted.profile_id, now_us, ask.timezone)
    found = dict(zip(ids, sums, strict=False)), dict(zip(SUMMARY_KEYS, sums[len(ids) :], strict=True))
    assert found == (expected["counts"], expected["summary"])
    return True


async def now_of(run: Drive, ask: Ask) -> int:
    """The instant through which deadlines are applied in the tenant's bucket."""
    states = await run.store.states([run.store.bucket(ask.tenant)])
    return next(iter(states.values())).timers or run.now_us


async def viewed(run: Drive, ask: Ask) -> TenantView:
    stored = await run.store.tenant(ask.tenant)
    assert stored is not None
    return TenantView(stored.record)


def wanted_of(ask: Ask, oracle: Recount) -> CountRequest:
    """The ask as far as its ids are known by now."""
    known = oracle.catalogue.filter_ids(ask.tenant, ask.viewer, ask.perspective)
    profile = ask.profile_id if ask.profile_id in oracle.catalogue.profile_ids(ask.tenant, ask.viewer) else None
    filter_ids = tuple(name for name in ask.filter_ids if name in known)
    return CountRequest(viewer_of(ask), Perspective(ask.perspective), filter_ids, profile)


def viewer_of(ask: Ask) -> Viewer:
    return Viewer(ask.viewer.user, Role(strongest(ask.viewer)), ask.viewer.teams, ask.viewer.roles)


async def delete_everything(run: Drive, oracle: Recount) -> None:
    """One tombstone a ticket; afterwards nothing is counted any more."""
    ends = {partition: len(records) for partition, records in run.partitions.items()}
    tombstones = []
    for tenant in oracle.catalogue.tenants:
        for ticket in oracle.tickets(tenant):
            key = f"{tenant}/{ticket}".encode()
            tombstones.append(Record(None, key, (), 0, ends.setdefault(0, 0)))
            ends[0] += 1
    await run.workers[0].consume(tombstones)
