"""What both stores promise of a tenant's next generation: nobody sees it, nothing waits for it, until it serves."""

from collections.abc import AsyncIterator

import pytest
import redis

from service.store.ports.building import (
    AHEAD,
    BEHIND,
    DUE,
    LAPSED,
    OTHER_RECORD,
    OTHER_TOPIC,
    Building,
    Gone,
    NotYet,
    Swapped,
)
from service.store.ports.reading import CountQuery
from service.store.ports.steps import Applied, BucketState, PartitionProgress, StaleCatalogue, TicketWrite
from service.store.redis.building import RedisBuildingStore, open_building_store
from tests.fakes.memory_building import MemoryBuildingStore
from tests.servers.redis.redis_server import closing_client
from tests.store.conftest import TIMEOUT_S, url_of
from tests.store.contract import (
    BUCKETS,
    NEW,
    NOW,
    TENANT,
    TOPIC,
    applied,
    batch,
    collected,
    everyone,
    now_ms,
    reaching,
    snapshot,
    stored,
    tenant_batch,
    ticket_state,
)
from tests.store.ports.test_timers import due, names_due, timers

Store = MemoryBuildingStore | RedisBuildingStore
SECOND = 1_000_000
HOUR = 3_600 * SECOND
FAR = NOW + 100 * HOUR
"""No clock has reached it yet, as far as these tests go."""


@pytest.fixture(params=["memory", "redis", "cluster"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """Each kind in turn, with one tenant that has one ticket, at position 5 and `NOW`."""
    if request.param == "memory":
        await served(memory := MemoryBuildingStore(BUCKETS, now_ms))
        yield memory
        return
    async with open_building_store(url_of(request.param, request), BUCKETS, TIMEOUT_S) as opened:
        await served(opened)
        yield opened


async def served(store: Store) -> None:
    assert await store.put_tenant(TENANT, None, stored())
    await applied(store, tenant_batch(everyone(c0=1), TicketWrite("a", NEW, ticket_state())), progress=reaching(5))


def planned(generation: str = "g2", base: str = "g1", record_version: str = "t1", from_store: bool = False) -> Building:
    return Building(TENANT, generation, base, record_version, {"c": 3}, from_store, BucketState(TOPIC, {}))


async def begun(store: Store) -> Building:
    assert await store.begin_building(TENANT, None, planned())
    return await found(store)


async def found(store: Store) -> Building:
    building = await store.building(TENANT)
    assert building is not None
    return building


async def build(
    store: Store, *writes: TicketWrite, position: int | None = None, count: int = 1, now: int = NOW
) -> None:
    """Writes tickets into the building, that come to so many more."""
    tenant = tenant_batch(everyone(c0=count) if count else None, *writes, generation="g2", as_of=NOW + 7)
    progress = {} if position is None else {0: PartitionProgress(None, position, 0)}
    outcome = await store.apply_building(batch(tenant, progress=progress, now=now))
    assert isinstance(outcome, Applied), outcome


async def swapped(store: Store) -> Swapped:
    outcome = await store.swap(await found(store), "t2", NOW)
    assert isinstance(outcome, Swapped), outcome
    return outcome


async def test_a_building_is_found_as_it_was_begun(store: Store) -> None:
    assert await store.building(TENANT) is None
    building = await begun(store)
    assert building == planned()
    copy = Building(TENANT, "g3", "g1", "t1", {}, True, BucketState(TOPIC, {0: 4, 2: 9}))
    assert await store.begin_building(TENANT, "g2", copy)
    assert await found(store) == copy


async def test_one_is_begun_only_on_the_ground_that_its_caller_knows(store: Store) -> None:
    assert not await store.begin_building(TENANT, None, planned(base="g0"))
    assert not await store.begin_building(TENANT, None, planned(record_version="t0"))
    assert not await store.begin_building(TENANT, "g0", planned())
    assert not await store.begin_building("nobody", None, planned())
    assert await store.building(TENANT) is None
    await begun(store)
    assert not await store.begin_building(TENANT, None, planned("g3"))
    assert (await found(store)).generation == "g2"


async def test_nobody_sees_what_is_built(store: Store) -> None:
    before = await snapshot(store)
    await begun(store)
    await build(store, TicketWrite("a", NEW, due(NOW + 1)), position=3, count=7)
    after = await snapshot(store)
    assert (after.epoch, after.version, after.columns, after.positions) == (
        before.epoch,
        before.version,
        before.columns,
        before.positions,
    )
    assert (after.timers, after.as_of) == (before.timers, before.as_of)
    assert await names_due(store, FAR) == []
    building = await found(store)
    assert (building.state.positions, building.state.timers) == ({0: 3}, NOW)
    loaded = await store.load_building(building, ["a", "b"])
    assert (loaded.record_versions, loaded.next_due) == ({TENANT: "t1"}, NOW + 1)
    assert [loaded.tickets[TENANT, name].ticket_state for name in ("a", "b")] == [due(NOW + 1), None]
    assert await store.scan(TENANT, "g2", 0, 10) == (0, ["a"])
    assert await store.ticket_count(TENANT, "g2") == 1


async def test_nothing_that_serves_waits_for_what_is_built(store: Store) -> None:
    await begun(store)
    await build(store, TicketWrite("a", NEW, due(NOW + 1)))
    await applied(store, tenant_batch(None, TicketWrite("b", NEW, ticket_state())), now=NOW + 5)
    assert await timers(store) == NOW + 5


async def test_a_building_is_written_only_as_its_caller_knows_it(store: Store) -> None:
    building = await begun(store)
    late = tenant_batch(everyone(c0=1), TicketWrite("x", NEW, ticket_state()), generation="g0")
    assert await store.apply_building(batch(late)) == StaleCatalogue((TENANT,))
    assert await store.adopt_building(building, "t2", {"d": 4})
    assert not await store.adopt_building(building, "t3", {})
    older = tenant_batch(everyone(c0=1), TicketWrite("x", NEW, ticket_state()), generation="g2")
    assert await store.apply_building(batch(older)) == StaleCatalogue((TENANT,))
    adopted = await found(store)
    assert (adopted.record_version, adopted.complete) == ("t2", {"d": 4})


async def test_it_serves_in_one_step_where_the_bucket_stands(store: Store) -> None:
    before = await snapshot(store)
    await begun(store)
    await build(store, TicketWrite("a", NEW, due(NOW + HOUR)), position=5, count=2)
    outcome = await swapped(store)
    assert (outcome.before, outcome.after) == ({0: 1}, {0: 2})
    assert await store.snapshot(CountQuery(TENANT, "t1", "g1", (0,), (), 1)) is None, "the old token is void"
    after = await snapshot(store, record_version="t2", generation="g2")
    assert (after.columns, after.positions, after.timers) == ((2,), before.positions, before.timers)
    assert (after.as_of, after.version) == (NOW + 7, outcome.version)
    assert after.version > before.version
    assert after.epoch != before.epoch
    assert await names_due(store, FAR) == ["a"]
    assert await store.building(TENANT) is None
    serving = await store.tenant(TENANT)
    assert serving == stored("t2", "g2")
    assert list(await store.orphans()) == [(TENANT, "g1")]
    old = tenant_batch(everyone(c0=1), TicketWrite("x", NEW, ticket_state()))
    assert await store.apply(batch(old)) == StaleCatalogue((TENANT,)), "whoever knows the old one is refused"


async def test_after_the_swap_the_old_generation_is_removed_and_the_new_one_stays(store: Store) -> None:
    await begun(store)
    await build(store, TicketWrite("a", NEW, due(NOW + HOUR)), position=5)
    await swapped(store)
    await collected(store, "g1")
    assert list(await store.orphans()) == []
    assert (await snapshot(store, record_version="t2", generation="g2")).columns == (1,)
    assert await names_due(store, FAR) == ["a"]


async def test_it_does_not_serve_before_it_has_all_that_the_bucket_has(store: Store) -> None:
    await begun(store)
    await build(store, position=4)
    assert await store.swap(await found(store), "t2", NOW) == NotYet(BEHIND)
    await build(store, position=5)
    await applied(store, progress={1: PartitionProgress(None, 1, 0)})
    assert await store.swap(await found(store), "t2", NOW) == NotYet(BEHIND), "a partition that it has nothing of"
    assert await store.tenant(TENANT) == stored()


async def test_it_does_not_serve_what_the_bucket_has_not(store: Store) -> None:
    await begun(store)
    await build(store, position=6)
    assert await store.swap(await found(store), "t2", NOW) == NotYet(AHEAD)


async def test_it_does_not_serve_as_of_later_than_the_bucket(store: Store) -> None:
    await begun(store)
    await build(store, TicketWrite("a", NEW, ticket_state()), position=5, now=NOW + 1)
    assert await store.swap(await found(store), "t2", NOW) == NotYet(AHEAD)


async def test_it_does_not_serve_while_something_is_due_by_the_buckets_timers(store: Store) -> None:
    await begun(store)
    await build(store, TicketWrite("a", NEW, due(NOW + SECOND)), position=5)
    assert await store.due(store.bucket(TENANT), NOW + SECOND, 10) == []
    assert await store.swap(await found(store), "t2", NOW) == NotYet(DUE)
    building = await found(store)
    assert [one.ticket for one in await store.building_due(building, NOW + SECOND, 10)] == ["a"]
    revision = (await store.load_building(building, ["a"])).tickets[TENANT, "a"].revision
    await build(store, TicketWrite("a", revision, ticket_state(), NOW + SECOND), count=0, now=NOW + SECOND)
    assert await store.building_due(building, NOW + SECOND, 10) == []
    await swapped(store)


async def test_it_does_not_serve_by_another_record_than_the_tenants(store: Store) -> None:
    building = await begun(store)
    await build(store, position=5)
    assert await store.put_tenant(TENANT, "t1", stored("t9", version=8))
    assert await store.swap(building, "t2", NOW) == NotYet(OTHER_RECORD)
    assert await store.adopt_building(building, "t9", {})
    await swapped(store)
    assert await store.tenant(TENANT) == stored("t2", "g2", version=8)


async def test_it_does_not_serve_positions_of_another_topic(store: Store) -> None:
    await begun(store)
    await build(store, position=5)
    await store.adopt_topic(store.bucket(TENANT), "topic-2")
    assert await store.swap(await found(store), "t2", NOW) == NotYet(OTHER_TOPIC)


async def test_it_serves_once(store: Store) -> None:
    building = await begun(store)
    await build(store, position=5)
    await swapped(store)
    assert await store.swap(building, "t3", NOW) == Gone()
    assert await store.apply_building(batch(tenant_batch(generation="g2"))) == StaleCatalogue((TENANT,))


async def test_it_takes_the_place_only_of_the_generation_it_was_begun_beside(store: Store) -> None:
    building = await begun(store)
    assert await store.put_tenant(TENANT, "t1", stored("t1", "g9"))
    assert await store.swap(building, "t2", NOW) == Gone()


async def test_what_is_due_long_after_may_be_merged_before(store: Store) -> None:
    building = await begun(store)
    tickets = {"soon": NOW + SECOND, "later": NOW + HOUR, "last": NOW + 2 * HOUR}
    await build(store, *(TicketWrite(name, NEW, due(at)) for name, at in tickets.items()), position=5)
    assert await store.merge_due(building, NOW + HOUR, 1) == 1
    assert await store.merge_due(building, NOW, 10) == 1, "the instant that was given first stands"
    assert await store.merge_due(building, NOW, 10) == 0
    assert await names_due(store, FAR) == ["later", "last"]
    assert (await found(store)).merged_from == NOW + HOUR
    await swapped(store)
    assert await names_due(store, FAR) == ["soon", "later", "last"]


async def test_it_does_not_serve_when_what_was_merged_may_be_forgotten(store: Store) -> None:
    building = await begun(store)
    await build(store, TicketWrite("a", NEW, due(NOW + HOUR)), position=5)
    await store.merge_due(building, NOW + HOUR, 10)
    assert await store.swap(building, "t2", NOW + HOUR) == NotYet(LAPSED)
    assert isinstance(await store.swap(building, "t2", NOW + HOUR - 1), Swapped)


async def test_a_swap_forgets_how_far_the_old_generation_was_swept(store: Store) -> None:
    await store.set_backfill_progress(TENANT, "half")
    await begun(store)
    await build(store, position=5)
    await swapped(store)
    assert await store.backfill_progress(TENANT) == ""


async def test_one_that_is_given_up_is_an_orphan(store: Store) -> None:
    await begun(store)
    await build(store, TicketWrite("a", NEW, ticket_state()))
    assert await store.begin_building(TENANT, "g2", None)
    assert await store.building(TENANT) is None
    assert list(await store.orphans()) == [(TENANT, "g2")]
    assert (await snapshot(store)).columns == (1,)


async def test_a_removed_tenant_takes_its_building_along(store: Store) -> None:
    await begun(store)
    await build(store, TicketWrite("a", NEW, ticket_state()))
    assert await store.drop_tenant(TENANT, "t1")
    assert await store.building(TENANT) is None
    assert sorted(await store.orphans()) == [(TENANT, "g1"), (TENANT, "g2")]


async def test_redis_hints_at_a_swap_only_and_keeps_nothing_of_the_old(redis_db: str) -> None:
    async with open_building_store(redis_db, BUCKETS, TIMEOUT_S) as store:
        await served(store)
        with closing_client(redis_db) as raw, raw.pubsub(ignore_subscribe_messages=True) as hints:  # type: ignore[no-untyped-call]
            hints.subscribe("tc:hints")
            hints.get_message(timeout=5)  # that it is subscribed, which says nothing
            await begun(store)
            await build(store, TicketWrite("a", NEW, due(NOW + HOUR)), position=5, count=3)
            await store.merge_due(await found(store), NOW + HOUR, 10)
            outcome = await swapped(store)
            assert heard(hints) == [f"{TENANT} {outcome.version}"]
            await collected(store, "g1")
            kept = {key.decode().partition("}:")[2] for key in raw.scan_iter()}
        assert kept == {"state", "due", "tenants", f"tenant:{TENANT}", f"tickets:{TENANT}:g2", f"count:{TENANT}:g2:*"}
        assert (await store.memory(store.bucket(TENANT))).used > 0


def heard(hints: redis.client.PubSub) -> list[str]:
    """What was published until now."""
    told = []
    while (message := hints.get_message(timeout=0.5)) is not None:
        told.append(message["data"].decode())
    return told
