"""A small help desk in Redis, as the consumers leave it: entries, tickets, counters. Asserts only that it got there."""

from typing import Any

import msgspec

from consumers.settings import ConsumerSettings
from service.domain.catalogue.catalogue import Filter, Priority, Profile, Realm, Sharing, Status, Team, TenantSettings
from service.domain.conditions.where import parse_where
from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.contributions import Changes
from service.domain.tenants.record import TenantRecord, adopted, new_record, numbered
from service.domain.tenants.tenant_entries import Entries
from service.domain.tickets.ticket import Ticket, TicketState
from service.store.ports.catalogue import StoredTenant
from service.store.ports.steps import Applied, Batch, PartitionProgress, TenantBatch, TicketWrite
from service.store.redis.store import RedisStore

TENANT = "acme"
NOW_US = 1_795_000_000_000_000
BUCKETS = ConsumerSettings().buckets

SETTINGS = TenantSettings(
    TENANT,
    "Acme",
    "helpdesk",
    (Status("open", "Open", active=True), Status("done", "Done", closed=True)),
    (Priority("p1", "Urgent", 2), Priority("p2", "Normal", 1)),
    (Team("net", "Network"), Team("desk", "Desk")),
)


def where(node: dict[str, Any]) -> Any:
    return parse_where(node)


MINE = {"any": [{"field": "assignee", "op": "eq", "value": "@me"}, {"field": "team", "op": "in", "value": "@my_teams"}]}
OPEN = {"field": "state", "op": "eq", "value": "open"}
URGENT = {"field": "priority", "op": "ge", "value": "p1"}
VIP = {"field": "tags", "op": "contains_any", "value": ["vip"]}

ENTRIES = Entries(
    SETTINGS,
    {
        "mine": Filter("mine", "Mine", "assignment", where({"all": [OPEN, MINE]})),
        "urgent": Filter("urgent", "Urgent", "priority", where(URGENT), owner="ann", perspectives=frozenset(("agent",)),
                         shared_with=Sharing(frozenset(("lead",)), frozenset(("net",)))),
    },
    {"vips": Profile("vips", "VIPs", where(VIP))},
)  # fmt: skip

TICKETS = {
    "1": Ticket("open", 0, priority="p1", team="net", assignee="ann", requester="rob", tags=("vip",)),
    "2": Ticket("open", 0, priority="p2", team="net", assignee="bob", requester="ann", fields={"n": 1}),
    "3": Ticket("done", 0, priority="p1", team="desk", assignee="ann", requester="ann"),
    "4": Ticket("open", 0, team="desk", requester="rob", due_at=NOW_US),
}


def record(entries: Entries = ENTRIES) -> TenantRecord:
    return new_record(entries, 7)


def with_a_new_filter(before: TenantRecord) -> TenantRecord:
    """The record while a filter that needs a new column is being filled, and another one was removed."""
    vip = Filter("vip", "VIP", "custom", where(VIP))
    return adopted(before, msgspec.structs.replace(ENTRIES, filters={"mine": ENTRIES.filters["mine"], "vip": vip}), 9)


def ticket_state(tenant: TenantRecord, ticket: Ticket | None, sequence: int = 1) -> TicketState:
    """The ticket as the consumers would have applied it."""
    mask = ColumnMatcher(numbered(tenant)).mask(ticket, NOW_US) if ticket is not None else 0
    return TicketState(sequence, ticket, NOW_US, mask)


async def fill(store: RedisStore, tenant: TenantRecord) -> None:
    """Writes the tenant with this record and its tickets; ticket 5 was deleted."""
    await store.ensure_layout()
    await store.put_realm("helpdesk", 1, Realm("helpdesk", "https://id.example", jwks={"keys": [{}]}))
    await store.put_tenant(TENANT, None, StoredTenant("token", "generation", tenant))
    ticket_states = {name: ticket_state(tenant, ticket) for name, ticket in TICKETS.items()} | {
        "5": ticket_state(tenant, None, 8)
    }
    changes = Changes()
    for one in ticket_states.values():
        changes.add(None, one)
    writes = [TicketWrite(name, b"", one) for name, one in ticket_states.items()]
    batch = TenantBatch(TENANT, "token", "generation", writes, changes.deltas(), NOW_US)
    outcome = await store.apply(
        Batch(store.bucket(TENANT), "topic", {0: PartitionProgress(None, 5, 0)}, [batch], NOW_US)
    )
    assert isinstance(outcome, Applied)
