"""What both stores promise of reading tickets page by page."""

from service.domain.tickets.ticket import TicketState
from service.store.ports.steps import TicketWrite
from tests.store.contract import NEW, NOW, ODD_IDS, TENANT, Store, applied, revision, tenant_batch, ticket_state

MANY = 700
"""Several pages, and more than Redis would give in one piece."""


async def scanned(
    store: Store, tenant: str = TENANT, generation: str = "g1", limit: int = 100
) -> dict[str, TicketState]:
    """A whole scan; the run stays the same, and each page but the last says where to go on."""
    found: dict[str, TicketState] = {}
    cursor, pages = 0, 0
    while True:
        page = await store.ticket_states(tenant, generation, cursor, limit)
        assert page.run == (await store.runs()).buckets[store.bucket(tenant)]
        found |= dict(page.tickets)
        cursor, pages = page.cursor, pages + 1
        assert pages <= MANY
        if not cursor:
            assert pages > len(found) // (limit * 5)
            return found


async def test_a_scan_has_every_ticket_as_it_is(store: Store) -> None:
    names = [*ODD_IDS, *(f"INC{number}" for number in range(MANY))]
    ticket_states = {name: ticket_state(sequence, fields={"of": name}) for sequence, name in enumerate(names)}
    await applied(store, tenant_batch(None, *(TicketWrite(name, NEW, one) for name, one in ticket_states.items())))
    assert await scanned(store) == ticket_states
    assert await store.ticket_count(TENANT, "g1") == len(ticket_states)


async def test_a_deleted_ticket_is_there_without_a_ticket_and_a_forgotten_one_is_not(store: Store) -> None:
    kept, gone = TicketState(2, None, NOW), ticket_state()
    await applied(store, tenant_batch(None, TicketWrite("kept", NEW, kept), TicketWrite("gone", NEW, gone)))
    await applied(store, tenant_batch(None, TicketWrite("gone", await revision(store, "gone"), None)))
    assert await scanned(store) == {"kept": kept}
    assert await store.ticket_count(TENANT, "g1") == 1


async def test_other_tenants_and_generations_have_none(store: Store) -> None:
    await applied(store, tenant_batch(None, TicketWrite("t", NEW, ticket_state())))
    assert await scanned(store, generation="g0") == {}
    assert await scanned(store, tenant="nobody") == {}
    assert await store.ticket_count("nobody", "g1") == 0
