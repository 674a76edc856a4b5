"""Numbers and sizes that Lua can't take for granted: beyond 2^53, beyond 64 columns, thousands of arguments."""

from service.domain.tickets.ticket import TicketState
from service.store.ports.reading import CountQuery
from service.store.ports.steps import PartitionProgress, TicketWrite
from tests.store.contract import (
    NEW,
    NOW,
    ODD_IDS,
    TENANT,
    Store,
    applied,
    batch,
    by_column,
    everyone,
    reaching,
    revision,
    snapshot,
    tenant_batch,
    ticket,
    ticket_state,
)

LARGEST_SEQUENCE = 2**63 - 1
MANY = 9_000
"""More than `unpack` puts on Lua's stack at once."""


async def test_sequences_beyond_2_to_the_53_keep_their_last_digit(store: Store) -> None:
    for sequence in (2**53, 2**53 + 1, LARGEST_SEQUENCE - 1, LARGEST_SEQUENCE):
        write = TicketWrite("t", await revision(store, "t"), ticket_state(sequence))
        await applied(store, tenant_batch(None, write))
        loaded = await store.load(store.bucket(TENANT), {TENANT: ["t"]}, {TENANT: "g1"})
        assert loaded.tickets[TENANT, "t"].ticket_state == ticket_state(sequence)


async def test_masks_of_any_width_survive(store: Store) -> None:
    masks = [0, 1, 2**8, 2**53 + 1, 2**63, 2**64 - 1, 2**64, 2**65 + 5, 1 << 1500 | 1, (1 << 2000) - 1]
    for number, mask in enumerate(masks):
        await applied(store, tenant_batch(None, TicketWrite(f"t{number}", NEW, ticket_state(mask=mask))))
    names = [f"t{number}" for number in range(len(masks))]
    loaded = await store.load(store.bucket(TENANT), {TENANT: names}, {TENANT: "g1"})
    found = [loaded.tickets[TENANT, name].ticket_state for name in names]
    assert [one.mask for one in found if one is not None] == masks


async def test_columns_beyond_a_thousand_are_counted_beside_low_ones(store: Store) -> None:
    columns = dict.fromkeys((0, 1, 2, 63, 64, 1023, 1024, 4000), 3)
    for _ in range(2):
        await applied(store, tenant_batch(by_column({"*": {"": columns}, "a:ann": {"": columns, "t:net": {4000: 1}}})))
    counts = await snapshot(store, tuple(columns), ("a:ann",))
    assert counts.columns == (6,) * len(columns)
    assert counts.counters == ({"": dict.fromkeys(columns, 6), "t:net": {4000: 2}},)


async def test_a_part_whose_columns_are_one_to_n_is_read_back_as_such(store: Store) -> None:
    """Lua packs keys 1 to n as a list."""
    for _ in range(2):
        await applied(store, tenant_batch(by_column({"a:ann": {"": {1: 5, 2: 6, 3: 7}, "t:net": {1: 1}}})))
    counts = await snapshot(store, (), ("a:ann",))
    assert counts.counters == ({"": {1: 10, 2: 12, 3: 14}, "t:net": {1: 2}},)


async def test_positions_and_instants_near_2_to_the_53_are_exact(store: Store) -> None:
    last = 2**53 - 1
    await applied(store, tenant_batch(everyone(c0=last), as_of=last), progress=reaching(last - 1), now=last)
    await applied(store, progress=reaching(last, known=last - 1))
    counts = await snapshot(store)
    assert (counts.positions, counts.columns, counts.as_of, counts.timers) == ({0: last}, (last,), last, last)


async def test_thousands_of_tickets_go_in_one_call_and_are_read_in_one(store: Store) -> None:
    names = [f"INC{number}" for number in range(MANY)]
    deltas = by_column({"*": {"": {0: MANY}}} | {f"a:u{number}": {"": {0: 1}} for number in range(MANY)})
    writes = [TicketWrite(name, NEW, ticket_state(number)) for number, name in enumerate(names)]
    await applied(store, tenant_batch(deltas, *writes))
    loaded = await store.load(store.bucket(TENANT), {TENANT: names}, {TENANT: "g1"})
    assert [loaded.tickets[TENANT, name].ticket_state for name in names] == [
        ticket_state(number) for number in range(MANY)
    ]
    conflict = await store.apply(batch(tenant_batch(None, *writes)))
    assert conflict.tickets == tuple((TENANT, name) for name in names)  # type: ignore[union-attr]
    counts = await snapshot(store, (0,), tuple(f"a:u{number}" for number in range(MANY)))
    assert counts.columns == (MANY,)
    assert counts.counters == ({"": {0: 1}},) * MANY


async def test_as_many_columns_as_500_filters_can_need_are_read_in_one_call(store: Store) -> None:
    columns = dict.fromkeys(range(4_500), 2)
    await applied(store, tenant_batch(by_column({"*": {"": columns}})))
    assert (await snapshot(store, tuple(columns))).columns == (2,) * len(columns)


async def test_hundreds_of_partitions_and_tenants_names_do_not_matter(store: Store) -> None:
    progress = {partition: PartitionProgress(None, partition + 1, 0) for partition in range(500)}
    await applied(store, progress=progress)
    assert (await snapshot(store)).positions == {partition: partition + 1 for partition in range(500)}


async def test_ids_of_any_kind_are_tickets_persons_and_teams(store: Store) -> None:
    ticket_states = {
        name: TicketState(n, ticket(team=name, assignee=name, requester=name, fields={name: name}), NOW, 1)
        for n, name in enumerate(ODD_IDS)
    }
    deltas = {f"a:{name}": {"": {0: n + 1}, f"t:{name}": {0: n + 1}} for n, name in enumerate(ODD_IDS)}
    writes = (TicketWrite(name, NEW, one) for name, one in ticket_states.items())
    await applied(store, tenant_batch(by_column(deltas), *writes))
    loaded = await store.load(store.bucket(TENANT), {TENANT: list(ODD_IDS)}, {TENANT: "g1"})
    assert {name: loaded.tickets[TENANT, name].ticket_state for name in ODD_IDS} == ticket_states
    found = await store.snapshot(CountQuery(TENANT, "t1", "g1", (), tuple(deltas), 1))
    assert found is not None
    assert dict(zip(deltas, found.counters, strict=True)) == deltas
    cursor, names = await store.scan(TENANT, "g1", 0, 1000)
    assert (cursor, set(names)) == (0, set(ODD_IDS))
