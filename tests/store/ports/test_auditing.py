"""What both stores promise to an audit: reads of one version, nothing written unnoted, and a repair that is guarded."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from service.store.ports.auditing import AuditAsk, AuditRead, Repair, RightCounter
from service.store.ports.catalogue import StoredTenant
from service.store.ports.steps import UNKNOWN_DUE, TicketWrite
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
    revision,
    snapshot,
    stored,
    tenant_batch,
    ticket_state,
)

ASK = AuditAsk(TENANT, "g1", "holder-1")
BEGIN = msgspec.structs.replace(ASK, begin=True, cursor=0, limit=10_000)


async def read(store: Store, ask: AuditAsk) -> AuditRead:
    """A read that must be given."""
    found = await store.audit(ask)
    assert found is not None
    return found


async def write(store: Store, name: str, deltas: Any = None, **changes: Any) -> None:
    sequence = changes.pop("sequence", 1)
    due_at = changes.pop("due_at", None)
    made = msgspec.structs.replace(ticket_state(sequence, **changes), next_change_at=due_at)
    await applied(store, tenant_batch(deltas, TicketWrite(name, await revision(store, name), made, UNKNOWN_DUE)))


def names(found: AuditRead) -> list[str]:
    return sorted(one.ticket for one in found.tickets)


async def test_a_whole_scan_has_every_ticket_with_when_it_is_due_twice_over(store: Store) -> None:
    for number in range(600):
        await write(store, f"t{number}", due_at=NOW + 5 if number == 7 else None)
    found = await read(store, msgspec.structs.replace(BEGIN, limit=50))
    seen = {one.ticket: one for one in found.tickets}
    while found.cursor:
        found = await read(store, msgspec.structs.replace(ASK, cursor=found.cursor, limit=50))
        seen |= {one.ticket: one for one in found.tickets}
    assert seen.keys() == {f"t{number}" for number in range(600)}
    assert {one.due_at for one in seen.values()} == {None, NOW + 5}
    assert all(one.ticket_state is not None and one.ticket_state.next_change_at == one.due_at for one in seen.values())
    assert (found.record_version, found.timers, found.next_due) == ("t1", NOW, NOW + 5)


async def test_what_is_written_after_the_beginning_is_read_again_and_only_then_counters(store: Store) -> None:
    await write(store, "a", everyone(c0=1))
    assert names(await read(store, BEGIN)) == ["a"]
    for name in ("a", "b", "c c"):
        await write(store, name, everyone(c0=1), sequence=2)
    some = await read(store, msgspec.structs.replace(ASK, limit=2, counters=("*",)))
    assert (len(some.tickets), some.left, some.counters) == (2, 1, None)
    rest = await read(store, msgspec.structs.replace(ASK, limit=2, counters=("*",)))
    assert sorted(names(some) + names(rest)) == ["a", "b", "c c"]
    assert (rest.left, rest.version) == (0, (await snapshot(store)).version)
    assert rest.counters is not None
    assert rest.counters["*"].columns[""] == {0: 4}
    assert (await read(store, ASK)).tickets == []


async def test_a_forgotten_ticket_is_read_as_none_and_named_ones_beside(store: Store) -> None:
    await write(store, "a")
    await write(store, "b")
    await read(store, BEGIN)
    await applied(store, tenant_batch(None, TicketWrite("a", await revision(store, "a"), None)))
    found = await read(store, msgspec.structs.replace(ASK, tickets=("b", "never")))
    assert {one.ticket: one.ticket_state is None for one in found.tickets} == {"a": True, "b": False, "never": True}


async def test_only_the_audited_tenant_is_noted(store: Store) -> None:
    assert await store.put_tenant(NEIGHBOUR, None, StoredTenant("t1", "g1", stored(tenant=NEIGHBOUR).record))
    await read(store, BEGIN)
    await applied(store, tenant_batch(None, TicketWrite("n", NEW, ticket_state()), tenant=NEIGHBOUR))
    assert (await read(store, ASK)).tickets == []


async def test_one_audit_a_bucket_and_none_without_a_beginning(store: Store) -> None:
    assert await store.put_tenant(NEIGHBOUR, None, StoredTenant("t1", "g1", stored(tenant=NEIGHBOUR).record))
    assert await store.audit(ASK) is None
    await read(store, BEGIN)
    for other in (
        msgspec.structs.replace(BEGIN, holder="holder-2"),
        msgspec.structs.replace(BEGIN, tenant=NEIGHBOUR),
        msgspec.structs.replace(BEGIN, generation="g2"),
        msgspec.structs.replace(ASK, holder="holder-2"),
        msgspec.structs.replace(BEGIN, tenant=ELSEWHERE),
    ):
        assert await store.audit(other) is None
    await store.end_audit(TENANT, "g1", "holder-2")
    await read(store, ASK)
    await store.end_audit(TENANT, "g1", "holder-1")
    assert await store.audit(ASK) is None
    await read(store, msgspec.structs.replace(BEGIN, holder="holder-2"))


async def test_every_counter_that_is_stored_is_named(store: Store) -> None:
    odd = "a:ün:ï/%2F {x}"
    await applied(store, tenant_batch(by_column({"*": {"": {0: 1}}, odd: {"": {0: 1}}, "t:a b": {"": {0: 1}}})))
    cursor, found = await store.counter_names(0, 10)
    while cursor:
        cursor, more = await store.counter_names(cursor, 10)
        found = [*found, *more]
    assert set(found) == {(TENANT, "g1", name) for name in ("*", odd, "t:a b")}


RIGHT = {
    "*": RightCounter({"": {0b11: 2, 0b1: 1}}, {}, {}),
    "a:ann": RightCounter({"t:net": {0b11: 2}, "": {0b1: 1}}, {}, {}),
    "r:many": RightCounter({"": {1 | 2 << number: 1 for number in range(9)}}, {}, {}),
    "t:gone": RightCounter({}, {}, {}),
}


async def wrong(store: Store) -> int:
    """Counters that are all wrong; the version."""
    cells = by_column({"*": {"": {0: 9, 5: 1}}, "a:ann": {"x": {0: 1}}, "t:gone": {"": {0: 4}}})
    await applied(store, tenant_batch(cells))
    return (await read(store, BEGIN)).version


def repair(version: int, **changes: Any) -> Repair:
    return msgspec.structs.replace(Repair(TENANT, "g1", "holder-1", version, RIGHT), **changes)


async def test_a_repair_replaces_counters_and_raises_the_version(store: Store) -> None:
    version = await wrong(store)
    assert await store.repair(repair(version)) == version + 1
    found = await snapshot(store, (0, 1, 5), ("a:ann", "r:many", "t:gone"))
    assert (found.version, found.columns) == (version + 1, (3, 2, 0))
    assert found.counters[0] == {"t:net": {0: 2, 1: 2}, "": {0: 1}}
    assert found.counters[1] == {"": {0: 9} | {number + 1: 1 for number in range(9)}}
    assert found.counters[2] == {}


async def test_what_was_repaired_goes_on_counting(store: Store) -> None:
    version = await wrong(store)
    await store.repair(repair(version))
    await applied(
        store,
        tenant_batch({"r:many": {"": {1 | 2 << number: -1 for number in range(9)}}, "a:ann": {"t:net": {0b11: -1}}}),
    )
    found = await snapshot(store, (0,), ("a:ann", "r:many"))
    assert found.counters[0] == {"t:net": {0: 1, 1: 1}, "": {0: 1}}
    assert {column: count for part in found.counters[1].values() for column, count in part.items() if count} == {}


@pytest.mark.parametrize(
    "guard",
    [
        lambda version: repair(version - 1),
        lambda version: repair(version + 1),
        lambda version: repair(version, generation="g2"),
        lambda version: repair(version, holder="holder-2"),
        lambda version: repair(version, tenant=ELSEWHERE),
    ],
)
async def test_a_repair_of_anything_else_writes_nothing(store: Store, guard: Callable[[int], Repair]) -> None:
    version = await wrong(store)
    assert await store.repair(guard(version)) is None
    found = await snapshot(store, (0, 5), ("a:ann", "t:gone"))
    assert (found.version, found.columns, found.counters) == (version, (9, 1), ({"x": {0: 1}}, {"": {0: 4}}))


async def test_a_batch_in_between_makes_a_repair_void(store: Store) -> None:
    version = await wrong(store)
    await store.apply(batch(tenant_batch(everyone(c0=1))))
    assert await store.repair(repair(version)) is None


async def test_times_are_compared_and_repaired_field_by_field(store: Store) -> None:
    time_buckets = {"a:ann": {"t:net": {(3, 100): 1}}, "*": {"": {(3, 100): 2}}}
    await applied(store, msgspec.structs.replace(tenant_batch(everyone(c0=1)), time_buckets=time_buckets))
    counters = ("*", "a:ann")
    found = await read(store, msgspec.structs.replace(BEGIN, counters=counters))
    assert found.counters is not None
    assert {name: one.fields for name, one in found.counters.items()} == {
        "*": {"3:q100": 2, "3:h25": 2, "3:d1": 2},
        "a:ann": {"3:100:t:net": 1},
    }
    right = {
        "*": RightCounter({"": {1: 1}}, {"": {(3, 100): 1}}, {"3:q100": 1, "3:h25": 1, "3:d1": 1}),
        "a:ann": RightCounter({}, {}, {"3:100:t:net": 0}),
    }
    assert await store.repair(repair(found.version, counters=right)) is not None
    after = await read(store, msgspec.structs.replace(ASK, counters=counters))
    assert after.counters is not None
    assert {name: one.fields for name, one in after.counters.items()} == {
        "*": {"3:q100": 1, "3:h25": 1, "3:d1": 1},
        "a:ann": {},
    }
