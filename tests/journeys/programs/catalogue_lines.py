"""Lines to publish for small tenants: catalogue entries and events, each good unless told otherwise. Sends nothing."""

from collections.abc import Mapping
from typing import Any

Line = dict[str, Any]

OPEN, WAITING, CLOSED = "3745", "3747", "3748"
HIGH = "4196"


def tenant(name: str, realm: str = "helpdesk", *, closed: frozenset[str] = frozenset({CLOSED})) -> Line:
    """A tenant with three statuses, one priority and one team."""
    statuses = [
        {"id": one, "name": f"S{one}", "color": "#3B82F6", "closed": one in closed, "active": True, "awaiting": False}
        for one in (OPEN, WAITING, CLOSED)
    ]
    priorities = [{"id": HIGH, "name": "High", "color": "#EF4444", "rank": 3}]
    teams = [{"id": "network", "name": "Network", "departmentId": 1}]
    value = {"id": name, "name": name.title(), "realm": realm, "statuses": statuses, "priorities": priorities}
    return {"kind": "tenant", "value": {**value, "teams": teams}}


def saved_filter(tenant_id: str, id_: str, where: Mapping[str, Any], **changes: Any) -> Line:
    """A filter of the tenant."""
    value = {"id": id_, "tenant": tenant_id, "name": f"Filter {id_}", "type": "custom", "where": dict(where)}
    return {"kind": "filter", "value": {**value, **changes}}


def removal(kind: str, id_: str, tenant_id: str | None = None) -> Line:
    """The removal of an entry."""
    owner = {} if tenant_id is None else {"tenant": tenant_id}
    return {"kind": kind, **owner, "id": id_, "value": None}


def event(tenant_id: str, ticket: str, sequence: int, type_: str = "ticket.updated", **data: Any) -> Line:
    """A whole-ticket event; a ticket is open and of nobody unless told otherwise."""
    whole = {"status": OPEN, "createdAt": "2026-11-21T08:00:00Z", **data}
    return {
        "specversion": "1.0",
        "id": f"{ticket}-{sequence}",
        "source": "/helpdesk/eu",
        "type": type_,
        "subject": ticket,
        "time": "2026-11-21T10:15:00Z",
        "tenantid": tenant_id,
        "sequence": str(sequence),
        "data": whole,
    }


def deletion(tenant_id: str, ticket: str, sequence: int) -> Line:
    """The ticket's delete."""
    whole = event(tenant_id, ticket, sequence, "ticket.deleted")
    return {name: value for name, value in whole.items() if name != "data"}
