"""One step of one bucket: what its guards say is heeded, and whatever comes between, each event counts once."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import msgspec
import pytest

from consumers.errors import ForeignTopic, OlderCode, Rewind
from consumers.types import Goal
from service.domain.counting.viewer import Role, Viewer
from service.store.ports.catalogue import StoredTenant
from service.store.ports.errors import StoreUnavailable
from service.store.ports.steps import Batch, PartitionProgress
from tests.consumers.small_world import (
    NOW_US,
    TENANT,
    SmallWorld,
    deleted,
    filter_entry,
    log_of,
    tenant_entry,
    told,
    tombstone,
)
from tests.support.pipeline import TOPIC_ID


async def unavailable() -> None:
    raise StoreUnavailable("away")


async def test_events_of_a_batch_become_counts() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    await consumer.consume(
        log_of(
            told(1, "T1", category="vip", assignee="ann"),
            told(1, "T2", "done"),
            told(2, "T1", "done", category="vip", assignee="bob"),
            told(1, "T3"),
            deleted(2, "T3"),
        )
    )
    assert await world.counts("all", "open", "done", "vip") == (2, 0, 2, 1)
    assert await world.counts("all", viewer=Viewer("ann", Role.AGENT)) == (0,)
    assert await world.counts("all", "vip", viewer=Viewer("bob", Role.AGENT)) == (1, 1)
    assert world.positions == {0: 5}
    assert len(world.store.applied) == 1, "one call for the batch"
    assert len(world.store.applied[0].tenants[0].writes) == 3, "each ticket once"


async def test_late_and_repeated_events_change_nothing_and_deletes_stick() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    events = [told(7, status="done"), told(6), told(7), told(7, status="done"), deleted(9), told(8), deleted(3)]
    for record in log_of(*events):
        await consumer.consume([record])
    assert await world.counts("all") == (0,)
    results = {name: counter._value.get() for name, counter in consumer.metrics.events.items()}
    expected = {"applied": 2, "late": 3, "conflicting": 1, "duplicate": 1}
    assert {name: count for name, count in results.items() if count} == expected
    await consumer.consume(log_of(*events, told(10))[-1:])
    assert await world.counts("all", "open") == (1, 1)


async def test_ids_that_the_catalogue_does_not_know_count_and_raise_a_metric() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    log = log_of(told(1, status="odd", priority="p9"), told(2, team="t9"), told(1, team="t9"), told(3))
    await consumer.consume(log)
    assert await world.counts("all", "open") == (1, 1)
    unknown = {kind: counter._value.get() for kind, counter in consumer.metrics.unknown_ids.items()}
    assert unknown == {"status": 1, "priority": 1, "team": 1}, "the late one was not applied"


async def test_a_tombstone_without_sequence_counts_only_when_it_is_first_read() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    log = log_of(told(1), tombstone(), told(5, status="done"))
    await consumer.consume(log)
    assert await world.counts("all", "done") == (1, 1)
    await consumer.consume(log)
    await consumer.consume(log[1:2])
    await (await world.consumer()).consume(log)
    assert await world.counts("all", "done") == (1, 1)
    assert world.positions == {0: 3}


async def test_a_write_of_somebody_else_in_between_is_read_and_built_upon() -> None:
    world = SmallWorld()
    ours, theirs = await world.consumer(), await world.consumer()
    first, second, third = log_of(told(1, assignee="ann"), told(2, assignee="bob"), told(3, assignee="cid"))
    await ours.consume([first])
    world.store.before_apply.append(lambda: theirs.consume([second]))
    await ours.consume([third])
    assert ours.metrics.conflicts._value.get() == 1
    for user, count in (("ann", 0), ("bob", 0), ("cid", 1)):
        assert await world.counts("all", viewer=Viewer(user, Role.AGENT)) == (count,)


@pytest.mark.parametrize("moment", ["before_load", "before_apply"])
async def test_a_catalogue_that_changed_meanwhile_is_reloaded(moment: str) -> None:
    world = SmallWorld(tenant_entry())
    ours, theirs = await world.consumer(), await world.consumer()
    await ours.consume(log_of(told(1, "T0")))

    async def edit() -> None:
        world.topic.publish(filter_entry())
        await theirs.catch_up()

    hooks: list[Callable[[], Awaitable[None]]] = getattr(world.store, moment)
    hooks.append(edit)
    await ours.consume(log_of(told(1, "T0"), told(1, "T1", category="vip"))[1:])
    assert ours.metrics.stale_catalogue._value.get() == 1
    await theirs.backfill()
    assert await world.counts("all", "vip") == (2, 1)


async def test_a_store_that_is_away_is_tried_again() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    world.store.before_load += [unavailable]
    world.store.before_apply += [unavailable, unavailable]
    await consumer.consume(log_of(told(1)))
    assert consumer.metrics.store_failures._value.get() == 3
    assert await world.counts("all") == (1,)
    assert world.positions == {0: 1}


async def test_a_tenant_is_unknown_only_after_the_catalogue_was_read_to_its_end() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    world.topic.publish(tenant_entry("globex"))
    await consumer.consume(log_of(told(1, tenant="globex"), told(1, tenant="nobody")))
    assert await world.counts("all", tenant="globex") == (1,)
    assert world.producer.places() == [(0, 1)]


async def test_an_idle_bucket_is_raised_without_events() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    await consumer.tick({0: 7, 3: 9})
    states = await world.store.states(range(world.store.buckets))
    assert all(state.positions == {0: 7, 3: 9} for state in states.values())
    assert all(batch.now == NOW_US for batch in world.store.applied)
    assert consumer.step.known[world.store.bucket(TENANT), 3] == 9


@pytest.mark.parametrize("with_events", [True, False])
async def test_a_store_that_lost_what_it_acknowledged_is_rewound(with_events: bool) -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    log = log_of(told(1), told(2), told(3))
    await consumer.consume(log[:2])
    world.positions[0] = 1
    with pytest.raises(Rewind, match=r"is back at \{0: 1\}") as raised:
        await (consumer.consume(log[2:]) if with_events else consumer.tick({0: 3}))
    assert raised.value.bucket == world.store.bucket(TENANT)
    assert world.positions == {0: 1}


async def test_a_loss_in_another_partition_is_noticed_by_the_next_read() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    await consumer.tick({0: 0, 1: 9})
    world.positions[1] = 4
    with pytest.raises(Rewind, match=r"is back at \{0: 0, 1: 4\}"):
        await consumer.consume(log_of(told(1)))
    assert await world.counts("all") == (0,)


async def test_a_loss_in_a_partition_that_others_have_by_now_is_theirs_to_rewind() -> None:
    world = SmallWorld()
    first, second = await world.consumer(), await world.consumer()
    log = log_of(told(1), told(2), told(3), told(4))
    await first.tick({1: 9})
    await second.consume(log[:2])
    states = await world.store.states(range(world.store.buckets))
    first.step.start_at(states, {0})
    second.step.start_at(states, {1})
    world.positions.update({0: 1, 1: 5})
    for consumer, at_hand, back in ((first, 0, 1), (second, 1, 5)):
        with pytest.raises(Rewind):
            await consumer.tick({at_hand: 9})
        states = await world.store.states(range(world.store.buckets))
        consumer.step.start_at(states, {at_hand})
        assert world.positions[at_hand] == back
    await first.consume(log[1:])
    await second.consume([replace(record, partition=1, offset=5 + record.offset) for record in log[2:]])
    assert world.positions == {0: 4, 1: 9}
    assert await world.counts("all") == (1,)


async def test_a_loss_between_reading_and_writing_is_rewound_too() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    log = log_of(told(1), told(1, "T2"))
    await consumer.consume(log[:1])

    async def lose() -> None:
        world.positions[0] = 0

    world.store.before_apply.append(lose)
    with pytest.raises(Rewind):
        await consumer.consume(log[1:])
    assert await world.counts("all") == (1,)


@pytest.mark.parametrize("with_events", [True, False])
async def test_positions_of_another_topic_stop_the_consumer(with_events: bool) -> None:
    world = SmallWorld()
    await (await world.consumer()).tick({0: 50})
    other = await world.consumer(topic_id="events-topic-2")
    with pytest.raises(ForeignTopic, match=TOPIC_ID):
        await (other.consume(log_of(told(1))) if with_events else other.tick({0: 1}))
    with pytest.raises(ForeignTopic, match=TOPIC_ID):
        await other.reevaluation.touch(TENANT, ["T1"])


async def test_columns_of_a_newer_release_are_left_alone() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    newer = msgspec.structs.replace(stored.record, semantics=stored.record.semantics + 1)
    assert await world.store.put_tenant(TENANT, stored.record_version, StoredTenant("newer", stored.generation, newer))
    with pytest.raises(OlderCode, match="this release has"):
        await consumer.consume(log_of(told(1)))
    assert world.positions == {}


async def test_a_zombie_does_no_harm() -> None:
    world = SmallWorld()
    zombie, owner = await world.consumer(), await world.consumer()
    log = log_of(told(1), told(2, status="done"), tombstone("T2"), told(1, "T2"), told(3))
    await zombie.consume(log[:1])
    await owner.consume(log)
    world.topic.publish(filter_entry("new", {"field": "status", "op": "eq", "value": "open"}))
    await owner.catch_up()
    await owner.backfill()
    await zombie.consume(log[1:4])
    await zombie.tick({0: 4})
    assert await world.counts("all", "open", "new") == (2, 2, 2)
    assert world.positions == {0: 5}


async def test_the_newest_event_time_is_kept_but_never_beyond_now() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    log = log_of(
        told(1, time="2026-11-01T00:00:00Z"), told(2, time="2026-10-01T00:00:00Z"), told(3, time="2200-01-01T00:00:00Z")
    )
    tenant = world.store._tenants[TENANT]
    seen = []
    for record in log:
        await consumer.consume([record])
        seen.append(tenant.as_of)
    assert seen == [1_793_491_200_000_000, 1_793_491_200_000_000, NOW_US]


async def test_touching_asks_tickets_again_and_only_writes_what_changed() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    await consumer.consume(log_of(told(1), told(1, "T2", category="vip"), deleted(5, "T3")))
    before = world.store._tenants[TENANT].tickets.copy()
    await consumer.reevaluation.touch(TENANT, ["T1", "T2", "T3", "T4"])
    assert world.store._tenants[TENANT].tickets == before
    world.topic.publish(filter_entry("two", {"field": "category", "op": "is_empty"}))
    await consumer.catch_up()
    await consumer.reevaluation.touch(TENANT, ["T1", "T2", "T3", "T4"])
    changed = {name for name, one in world.store._tenants[TENANT].tickets.items() if one != before[name]}
    assert changed == {"T1"}
    await consumer.reevaluation.touch("nobody", ["T1"])


async def test_goals_below_what_is_stored_move_nothing_back() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    bucket = world.store.bucket(TENANT)
    await consumer.step.events(bucket, [], {0: Goal(9, 0)})
    await consumer.step.events(bucket, [], {0: Goal(4, 0)})
    assert world.positions == {0: 9}
    assert consumer.step.known[bucket, 0] == 9
    assert (await world.store.apply(Batch(bucket, TOPIC_ID, {0: PartitionProgress(9, 9, 0)}))).versions == {}  # type: ignore[union-attr]
