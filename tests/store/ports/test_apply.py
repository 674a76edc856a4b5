"""What both stores promise of `load` and `apply`: whole steps or nothing, guarded by revision, token and position."""

import asyncio

import pytest

from service.store.ports.steps import (
    Applied,
    Behind,
    BucketState,
    Conflict,
    OtherTopic,
    PartitionProgress,
    StaleCatalogue,
    TicketWrite,
)
from tests.store.contract import (
    ELSEWHERE,
    NEIGHBOUR,
    NEW,
    NOW,
    TENANT,
    TOPIC,
    Store,
    applied,
    batch,
    by_column,
    everyone,
    reaching,
    revision,
    snapshot,
    stored,
    tenant_batch,
    ticket_state,
)


async def test_a_new_bucket_is_empty(store: Store) -> None:
    loaded = await store.load(store.bucket(TENANT), {TENANT: ["t"], NEIGHBOUR: ["u"]}, {TENANT: "g1", NEIGHBOUR: "g1"})
    assert loaded.state == BucketState("", {})
    assert loaded.record_versions == {TENANT: "t1", NEIGHBOUR: ""}
    assert {place: (found.revision, found.ticket_state) for place, found in loaded.tickets.items()} == {
        (TENANT, "t"): (NEW, None),
        (NEIGHBOUR, "u"): (NEW, None),
    }


async def test_buckets(store: Store) -> None:
    assert store.bucket(TENANT) == store.bucket(NEIGHBOUR) != store.bucket(ELSEWHERE)


async def test_what_is_applied_is_loaded(store: Store) -> None:
    written = ticket_state(7, 0b101, fields={"a": [1, "x", None, 2.5, True]}, tags=("vip",))
    deltas = {**everyone(c0=1, c2=1), **by_column({"a:ann": {"": {0: 1}, "t:net": {0: 1}}})}
    outcome = await applied(store, tenant_batch(deltas, TicketWrite("t", NEW, written)), progress=reaching(5))
    assert outcome.negative == 0
    loaded = await store.load(store.bucket(TENANT), {TENANT: ["t"]}, {TENANT: "g1"})
    assert loaded.state == BucketState(TOPIC, {0: 5}, NOW)
    found = loaded.tickets[TENANT, "t"]
    assert found.revision != NEW
    assert found.ticket_state is not None
    assert found.ticket_state.mask == 0b101
    assert found.ticket_state.sequence == 7
    assert found.ticket_state.ticket is not None
    assert tuple(found.ticket_state.ticket.fields["a"]) == (1, "x", None, 2.5, True)
    counts = await snapshot(store, (0, 1, 2), ("a:ann", "a:bob"))
    assert counts.columns == (1, 0, 1)
    assert counts.counters == ({"": {0: 1}, "t:net": {0: 1}}, {})
    assert counts.positions == {0: 5}


async def test_each_write_of_a_ticket_has_its_own_revision(store: Store) -> None:
    seen = {NEW}
    for _ in range(3):
        before = await revision(store, "t")
        await applied(store, tenant_batch(None, TicketWrite("t", before, ticket_state())))
        seen.add(await revision(store, "t"))
    assert len(seen) == 4


async def test_a_ticket_that_changed_since_it_was_read_is_a_conflict(store: Store) -> None:
    await applied(
        store, tenant_batch(None, TicketWrite("b", NEW, ticket_state()), TicketWrite("c", NEW, ticket_state()))
    )
    known = await revision(store, "c")
    await applied(store, tenant_batch(None, TicketWrite("c", known, ticket_state(2))))
    writes = [
        TicketWrite("a", NEW, ticket_state()),
        TicketWrite("b", NEW, ticket_state()),
        TicketWrite("c", known, ticket_state(3)),
        TicketWrite("d", known, ticket_state()),
    ]
    outcome = await store.apply(batch(tenant_batch(everyone(c0=1), *writes), progress=reaching(9)))
    assert outcome == Conflict(((TENANT, "b"), (TENANT, "c"), (TENANT, "d")))
    loaded = await store.load(store.bucket(TENANT), {TENANT: ["a", "c"]}, {TENANT: "g1"})
    assert loaded.tickets[TENANT, "a"].ticket_state is None
    assert loaded.tickets[TENANT, "c"].ticket_state == ticket_state(2)
    assert loaded.state.positions == {}
    assert (await snapshot(store)).columns == (0,)


async def test_of_two_writers_who_read_the_same_one_is_refused(store: Store) -> None:
    writes = [tenant_batch(everyone(c0=1), TicketWrite("t", NEW, ticket_state(n))) for n in (1, 2)]
    outcomes = await asyncio.gather(*(store.apply(batch(one)) for one in writes))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Applied", "Conflict"]
    assert (await snapshot(store)).columns == (1,)


async def test_writers_of_different_tickets_meet_in_a_counter_without_conflict(store: Store) -> None:
    writes = [
        tenant_batch(
            by_column({"*": {"": {0: 1}}, "t:net": {"": {0: 1, 3: 2}}}), TicketWrite(f"t{n}", NEW, ticket_state())
        )
        for n in range(20)
    ]
    outcomes = await asyncio.gather(*(store.apply(batch(one)) for one in writes))
    assert all(isinstance(outcome, Applied) for outcome in outcomes)
    counts = await snapshot(store, (0,), ("t:net",))
    assert (counts.columns, counts.counters) == ((20,), ({"": {0: 20, 3: 40}},))


@pytest.mark.parametrize(
    "wrong",
    [{"record_version": "t0"}, {"generation": "g0"}, {"tenant": NEIGHBOUR}],
    ids=["record_version", "generation", "tenant"],
)
async def test_what_was_compiled_against_another_state_of_the_tenant_is_refused(
    store: Store, wrong: dict[str, str]
) -> None:
    stale = tenant_batch(everyone(c0=1), TicketWrite("t", NEW, ticket_state()), **wrong)  # type: ignore[arg-type]
    assert await store.apply(batch(stale, progress=reaching(3))) == StaleCatalogue((stale.tenant,))
    assert (await store.states([store.bucket(TENANT)]))[store.bucket(TENANT)] == BucketState("", {})
    assert await revision(store, "t") == NEW


async def test_one_stale_tenant_holds_back_the_others_of_its_batch(store: Store) -> None:
    assert await store.put_tenant(NEIGHBOUR, None, stored("t9", "g9", tenant=NEIGHBOUR))
    good = tenant_batch(everyone(c0=1), TicketWrite("t", NEW, ticket_state()))
    stale = tenant_batch(
        everyone(c0=1), TicketWrite("t", NEW, ticket_state()), tenant=NEIGHBOUR, record_version="t8", generation="g9"
    )
    assert await store.apply(batch(good, stale)) == StaleCatalogue((NEIGHBOUR,))
    assert (await snapshot(store)).columns == (0,)
    both = [good, tenant_batch(everyone(c0=5), tenant=NEIGHBOUR, record_version="t9", generation="g9")]
    outcome = await applied(store, *both)
    assert set(outcome.versions) == {TENANT, NEIGHBOUR}
    assert (await snapshot(store)).columns == (1,)
    assert (await snapshot(store, tenant=NEIGHBOUR, record_version="t9", generation="g9")).columns == (5,)


async def test_a_store_below_what_it_acknowledged_is_behind(store: Store) -> None:
    await applied(store, progress={0: PartitionProgress(None, 10, 0), 1: PartitionProgress(None, 4, 0)})
    ahead = {0: PartitionProgress(11, 12, 0), 1: PartitionProgress(4, 9, 0), 2: PartitionProgress(3, 5, 0)}
    write = tenant_batch(everyone(c0=1), TicketWrite("t", NEW, ticket_state()))
    assert await store.apply(batch(write, progress=ahead)) == Behind({0: 10, 2: 0})
    assert (await store.states([store.bucket(TENANT)]))[store.bucket(TENANT)].positions == {0: 10, 1: 4}
    assert await revision(store, "t") == NEW


async def test_even_a_known_zero_is_behind_where_nothing_is_stored(store: Store) -> None:
    assert await store.apply(batch(progress=reaching(5, known=0))) == Behind({0: 0})
    await applied(store, progress=reaching(0))
    await applied(store, progress=reaching(5, known=0))


async def test_another_topic_of_that_name_is_refused_until_it_is_adopted(store: Store) -> None:
    await applied(store, progress=reaching(10))
    bucket = store.bucket(TENANT)
    assert await store.apply(batch(progress=reaching(2), topic="topic-2")) == OtherTopic(TOPIC)
    before = (await snapshot(store)).epoch
    await store.adopt_topic(bucket, "topic-2")
    assert await store.states([bucket]) == {bucket: BucketState("topic-2", {}, NOW)}
    assert (await snapshot(store)).epoch != before
    await applied(store, progress=reaching(2), topic="topic-2")
    assert (await store.states([bucket]))[bucket] == BucketState("topic-2", {0: 2}, NOW)


async def test_positions_only_rise_each_for_itself(store: Store) -> None:
    for position in (5, 3, 5, 8, 1):
        await applied(store, progress={0: PartitionProgress(None, position, 0), 3: PartitionProgress(None, 2, 0)})
    bucket, other = store.bucket(TENANT), store.bucket(ELSEWHERE)
    states = await store.states([bucket, other])
    assert states == {bucket: BucketState(TOPIC, {0: 8, 3: 2}, NOW), other: BucketState("", {})}


async def test_the_version_grows_with_each_change_of_counts_and_with_nothing_else(store: Store) -> None:
    start = (await snapshot(store)).version
    outcome = await applied(store, tenant_batch(None, TicketWrite("t", NEW, ticket_state())), progress=reaching(3))
    assert outcome.versions == {}
    assert (await snapshot(store)).version == start
    for change in (everyone(c0=1), everyone(c0=-1), by_column({"a:ann": {"": {0: 1}}})):
        before = (await snapshot(store)).version
        outcome = await applied(store, tenant_batch(change))
        assert outcome.versions == {TENANT: before + 1}
        assert (await snapshot(store)).version == before + 1


async def test_cells_that_come_out_even_are_gone_and_those_below_zero_are_counted(store: Store) -> None:
    await applied(store, tenant_batch(by_column({"*": {"": {0: 2, 1: 1}}, "t:net": {"": {0: 2, 1: 1}, "x": {0: 1}}})))
    outcome = await applied(store, tenant_batch(by_column({"*": {"": {1: -1}}, "t:net": {"": {1: -1}, "x": {0: -1}}})))
    assert outcome.negative == 0
    counts = await snapshot(store, (0, 1), ("t:net",))
    assert (counts.columns, counts.counters) == ((2, 0), ({"": {0: 2}},))
    outcome = await applied(store, tenant_batch(by_column({"*": {"": {0: -3}}, "t:net": {"": {0: -2, 5: -1}}})))
    assert outcome.negative == 2
    counts = await snapshot(store, (0,), ("t:net",))
    assert (counts.columns, counts.counters) == ((-1,), ({"": {5: -1}},))


async def test_an_image_that_is_none_forgets_the_ticket(store: Store) -> None:
    await applied(store, tenant_batch(None, TicketWrite("t", NEW, ticket_state())))
    await applied(store, tenant_batch(None, TicketWrite("t", await revision(store, "t"), None)))
    assert await revision(store, "t") == NEW
    assert await store.scan(TENANT, "g1", 0, 100) == (0, [])


async def test_a_deleted_ticket_keeps_its_sequence(store: Store) -> None:
    gone = ticket_state(2**63 - 1)
    gone = type(gone)(gone.sequence, None, NOW, 0)
    await applied(store, tenant_batch(None, TicketWrite("t", NEW, gone)))
    loaded = await store.load(store.bucket(TENANT), {TENANT: ["t"]}, {TENANT: "g1"})
    assert loaded.tickets[TENANT, "t"].ticket_state == gone
