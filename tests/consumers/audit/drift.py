"""Ways to spoil a store behind the consumers' backs, over its own port, so that both kinds can be spoilt."""

from typing import Any, Protocol

import msgspec

from service.domain.counting.contributions import Deltas, TimeBuckets
from service.store.ports.catalogue import CatalogueStore
from service.store.ports.steps import UNKNOWN_DUE, Applied, Batch, DueTicket, TenantBatch, TicketWrite, TimerStore
from tests.support.pipeline import TOPIC_ID


class SpoiltStore(TimerStore, CatalogueStore, Protocol):
    """Writes tickets and knows their tenants."""


async def spoil(
    store: SpoiltStore,
    tenant: str,
    deltas: Deltas | None = None,
    time_buckets: TimeBuckets | None = None,
    *writes: TicketWrite,
) -> None:
    """Changes counters by so much, or tickets, and not the other."""
    while True:
        stored = await store.tenant(tenant)
        assert stored is not None
        state = (await store.states([store.bucket(tenant)]))[store.bucket(tenant)]
        one = TenantBatch(
            tenant, stored.record_version, stored.generation, writes, deltas or {}, None, time_buckets or {}
        )
        batch = Batch(store.bucket(tenant), state.topic or TOPIC_ID, {}, [one], state.timers or 0)
        if isinstance(await store.apply(batch), Applied):
            return


async def spoil_ticket(store: SpoiltStore, tenant: str, ticket: str, **changes: Any) -> None:
    """Changes what a ticket says of itself, and no counter."""
    stored = await store.tenant(tenant)
    assert stored is not None
    loaded = await store.load(store.bucket(tenant), {tenant: [ticket]}, {tenant: stored.generation})
    found = loaded.tickets[tenant, ticket]
    assert found.ticket_state is not None
    ticket_state = msgspec.structs.replace(found.ticket_state, **changes)
    await spoil(store, tenant, None, None, TicketWrite(ticket, found.revision, ticket_state, UNKNOWN_DUE))


async def spoil_due(store: SpoiltStore, tenant: str, ticket: str) -> None:
    """Takes a ticket out of the due set."""
    stored = await store.tenant(tenant)
    assert stored is not None
    await store.forget_due(store.bucket(tenant), [DueTicket(tenant, stored.generation, ticket, 0)])
