"""What both stores promise of time: nothing is due twice, and the timers say what stands at exactly that instant."""

import msgspec

from service.domain.tickets.ticket import TicketState
from service.store.ports.steps import UNKNOWN_DUE, Applied, DueConflict, DueTicket, TicketWrite
from tests.store.contract import (
    NEW,
    NOW,
    TENANT,
    Store,
    applied,
    batch,
    collected,
    everyone,
    revision,
    tenant_batch,
    ticket_state,
)

SECOND = 1_000_000


def due(at: int | None, mask: int = 1) -> TicketState:
    """An image whose contributions change by themselves then."""
    return msgspec.structs.replace(ticket_state(mask=mask), next_change_at=at)


async def write(store: Store, name: str, at: int | None, now: int = NOW) -> None:
    """Writes a ticket that is due then."""
    await applied(
        store, tenant_batch(None, TicketWrite(name, await revision(store, name), due(at), UNKNOWN_DUE)), now=now
    )


async def timers(store: Store) -> int | None:
    states = await store.states([store.bucket(TENANT)])
    return states[store.bucket(TENANT)].timers


async def names_due(store: Store, now: int, limit: int = 100) -> list[str]:
    return [one.ticket for one in await store.due(store.bucket(TENANT), now, limit)]


async def test_tickets_are_due_in_their_order_and_not_before(store: Store) -> None:
    for name, after in (("b", 2), ("c c", 3), ("a", 1)):
        await write(store, name, NOW + after * SECOND)
    assert await names_due(store, NOW + SECOND - 1) == []
    assert await names_due(store, NOW + SECOND) == ["a"]
    assert await names_due(store, NOW + 9 * SECOND) == ["a", "b", "c c"]
    assert await names_due(store, NOW + 9 * SECOND, limit=2) == ["a", "b"]
    (first, *_) = await store.due(store.bucket(TENANT), NOW + 9 * SECOND, 1)
    assert first == DueTicket(TENANT, "g1", "a", NOW + SECOND)


async def test_a_look_raises_the_timers_when_nothing_is_due_and_never_lowers_them(store: Store) -> None:
    await write(store, "a", NOW + 2 * SECOND)
    await names_due(store, NOW + SECOND)
    assert await timers(store) == NOW + SECOND
    await names_due(store, NOW - SECOND)
    assert await timers(store) == NOW + SECOND
    await names_due(store, NOW + 2 * SECOND)
    assert await timers(store) == NOW + SECOND, "something is due: it must be applied first"


async def test_a_written_ticket_is_due_at_its_newest_instant_or_no_more(store: Store) -> None:
    await write(store, "a", NOW + SECOND)
    await write(store, "a", NOW + 3 * SECOND)
    assert await names_due(store, NOW + 2 * SECOND) == []
    assert await names_due(store, NOW + 3 * SECOND) == ["a"]
    await write(store, "a", None, NOW + 3 * SECOND)
    assert await names_due(store, NOW + 3 * SECOND) == []


async def test_what_is_loaded_says_what_is_due_next(store: Store) -> None:
    bucket = store.bucket(TENANT)
    assert (await store.load(bucket, {}, {})).next_due is None
    await write(store, "a", NOW + 2 * SECOND)
    await write(store, "b", NOW + SECOND)
    assert (await store.load(bucket, {}, {})).next_due == NOW + SECOND


async def test_a_batch_raises_the_timers_to_its_instant(store: Store) -> None:
    await write(store, "a", NOW + 5 * SECOND, NOW + SECOND)
    assert await timers(store) == NOW + SECOND
    await applied(store, tenant_batch(everyone(c0=1)), now=NOW + 2 * SECOND)
    assert await timers(store) == NOW + 2 * SECOND


async def test_a_batch_beyond_what_another_ticket_is_due_at_is_a_due_conflict_and_writes_nothing(store: Store) -> None:
    await write(store, "a", NOW + SECOND)
    late = batch(tenant_batch(everyone(c0=1), TicketWrite("b", NEW, ticket_state())), now=NOW + SECOND)
    assert await store.apply(late) == DueConflict()
    assert await revision(store, "b") == NEW
    both = tenant_batch(
        None,
        TicketWrite("b", NEW, ticket_state()),
        TicketWrite("a", await revision(store, "a"), due(None), NOW + SECOND),
    )
    await applied(store, both, now=NOW + SECOND)
    assert await timers(store) == NOW + SECOND


async def test_a_batch_before_the_timers_is_taken_only_where_it_makes_no_difference(store: Store) -> None:
    await names_due(store, NOW + 5 * SECOND)
    overtaken = tenant_batch(None, TicketWrite("a", NEW, due(NOW + 5 * SECOND)))
    assert await store.apply(batch(overtaken, now=NOW)) == DueConflict()
    still_right = tenant_batch(None, TicketWrite("a", NEW, due(NOW + 5 * SECOND + 1)))
    await applied(store, still_right, now=NOW)
    assert await timers(store) == NOW + 5 * SECOND


async def test_some_of_many_at_one_instant_leave_the_timers_until_the_last_is_written(store: Store) -> None:
    for name in ("a", "b"):
        await write(store, name, NOW + SECOND)
    for name, expected in (("a", NOW), ("b", NOW + SECOND)):
        fired = tenant_batch(None, TicketWrite(name, await revision(store, name), due(None), NOW + SECOND))
        part = msgspec.structs.replace(batch(fired, now=NOW + SECOND), partial_due_batch=True)
        assert isinstance(await store.apply(part), Applied)
        assert await timers(store) == expected


async def test_what_is_forgotten_is_due_no_more(store: Store) -> None:
    await write(store, "a", NOW + SECOND)
    bucket = store.bucket(TENANT)
    await store.forget_due(bucket, [])
    await store.forget_due(bucket, [DueTicket(TENANT, "g0", "a", NOW + SECOND)])
    assert await names_due(store, NOW + SECOND) == ["a"]
    await store.forget_due(bucket, await store.due(bucket, NOW + SECOND, 9))
    assert await names_due(store, NOW + SECOND) == []


async def test_nothing_of_a_removed_tenant_is_due(store: Store) -> None:
    await write(store, "a", NOW + SECOND)
    assert await store.drop_tenant(TENANT, "t1")
    await collected(store, "g1")
    assert await names_due(store, NOW + SECOND) == []
