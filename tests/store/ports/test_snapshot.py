"""What both stores promise of a snapshot: one state of one record, and what the numbers equal."""

import asyncio

from service.store.ports.reading import CountQuery
from service.store.ports.steps import PartitionProgress, TicketWrite
from tests.store.contract import (
    ELSEWHERE,
    NEIGHBOUR,
    NEW,
    NOW,
    TENANT,
    Store,
    applied,
    batch,
    by_column,
    everyone,
    reaching,
    snapshot,
    stored,
    tenant_batch,
    ticket_state,
)

SLACK_MS = 5_000
"""What a loaded machine may take between a write and a read."""


async def test_there_is_no_snapshot_for_another_state_of_the_record(store: Store) -> None:
    for tenant, record_version in ((TENANT, "t0"), (TENANT, ""), (NEIGHBOUR, "t1")):
        assert await store.snapshot(CountQuery(tenant, record_version, "g1", (0,), (), 0)) is None
    assert await store.put_tenant(TENANT, "t1", stored("t2"))
    assert await store.snapshot(CountQuery(TENANT, "t1", "g1", (0,), (), 0)) is None
    assert await store.snapshot(CountQuery(TENANT, "t2", "g1", (0,), (), 0)) is not None


async def test_a_new_tenant_has_zeros_everywhere(store: Store) -> None:
    counts = await snapshot(store, (0, 4, 1000), ("a:ann", "t:net"))
    assert (counts.columns, counts.counters) == ((0, 0, 0), ({}, {}))
    assert (counts.positions, counts.lags_ms, counts.timers, counts.as_of) == ({}, {}, None, None)


async def test_columns_come_in_the_order_asked_for(store: Store) -> None:
    await applied(store, tenant_batch(everyone(c0=9, c1=1, c10=10)))
    assert (await snapshot(store, (10, 0, 2, 1, 0))).columns == (10, 9, 0, 1, 9)
    assert (await snapshot(store, ())).columns == ()


async def test_other_tenants_counts_stay_out(store: Store) -> None:
    await store.put_tenant(NEIGHBOUR, None, stored("n1", "g1", tenant=NEIGHBOUR))
    await applied(
        store,
        tenant_batch(by_column({"*": {"": {0: 1}}, "a:ann": {"": {0: 1}}})),
        tenant_batch(by_column({"*": {"": {0: 7}}, "a:ann": {"": {0: 7}}}), tenant=NEIGHBOUR, record_version="n1"),
    )
    counts = await snapshot(store, (0,), ("a:ann",))
    assert (counts.columns, counts.counters) == ((1,), ({"": {0: 1}},))


async def test_as_of_and_timers_never_go_back(store: Store) -> None:
    for as_of, now in ((NOW - 5, NOW), (NOW - 9, NOW - 1), (None, NOW + 3)):
        await applied(store, tenant_batch(None, as_of=as_of), now=now)
    counts = await snapshot(store)
    assert (counts.as_of, counts.timers) == (NOW - 5, NOW + 3)


async def test_lags_are_said_by_partition_and_grow_while_nobody_writes(store: Store) -> None:
    await applied(store, progress={0: PartitionProgress(None, 1, 0), 7: PartitionProgress(None, 1, 60_000)})
    lags = (await snapshot(store)).lags_ms
    assert lags.keys() == {0, 7}
    assert 0 <= lags[0] < SLACK_MS
    assert 60_000 <= lags[7] < 60_000 + SLACK_MS
    await applied(store, progress=reaching(2, lag_ms=90_000))
    assert (await snapshot(store)).lags_ms[0] < SLACK_MS, "what was fresh once stays so until it ages"
    await applied(store, progress={7: PartitionProgress(None, 2, 10_000)})
    assert 10_000 <= (await snapshot(store)).lags_ms[7] < 10_000 + SLACK_MS


async def test_the_epoch_changes_with_a_new_one_and_with_nothing_else(store: Store) -> None:
    await applied(store, tenant_batch(everyone(c0=1)), progress=reaching(1))
    epochs = [(await snapshot(store)).epoch]
    await applied(store, tenant_batch(everyone(c0=1)), progress=reaching(2))
    assert (await snapshot(store)).epoch == epochs[0]
    for _ in range(3):
        await store.new_epoch(store.bucket(TENANT))
        epochs.append((await snapshot(store)).epoch)
    await store.new_epoch(store.bucket(ELSEWHERE))
    assert (await snapshot(store)).epoch == epochs[-1]
    assert len(set(epochs)) == 4
    assert await store.put_tenant(TENANT, "t1", stored(generation="g2"))
    assert (await snapshot(store, generation="g2")).epoch not in epochs


async def test_a_reader_beside_writers_sees_only_whole_steps(store: Store) -> None:
    step = by_column({"*": {"": {0: 1, 1: 1}}, "a:ann": {"": {0: 1}}})

    async def write(name: str) -> None:
        await store.apply(batch(tenant_batch(step, TicketWrite(name, NEW, ticket_state()))))

    async def read() -> tuple[int, ...]:
        counts = await snapshot(store, (0, 1), ("a:ann",))
        return (*counts.columns, counts.counters[0].get("", {}).get(0, 0), counts.version - 1)

    work = [job for n in range(50) for job in (write(f"t{n}"), read())]
    seen = [result for result in await asyncio.gather(*work) if result is not None]
    assert all(len(set(numbers)) == 1 for numbers in seen), seen
    assert await read() == (50, 50, 50, 50)


async def test_ping_and_run_answer(store: Store) -> None:
    await store.ping()
    assert await store.run() == await store.run() != ""
