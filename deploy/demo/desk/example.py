"""The demo's catalogue: the statuses, priorities, teams, filters and names of the API's example. Only data."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

TENANT = "7a1c0d52-3c1b-4e0f-9a53-0d6f7f6f6d10"
TENANT_NAME = "Example Support"
REALM = "demo"
ISSUER = "https://login.demo.example"

ZONE = "Asia/Calcutta"
"""The zone of the example's request."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user who can sign in to the demo."""

    role: str
    user: str
    teams: tuple[str, ...] = ()


ADMIN = Person("ticket_admin", "agent-01", ("service-desk",))
"""Leads the service desk and gets escalated tickets, so that "Assigned to Me" isn't 0 for an admin either."""
AGENT = Person("ticket_agent", "agent-04", ("network", "workplace"))
USER = Person("ticket_user", "user-001")
PEOPLE = (ADMIN, AGENT, USER)

OPEN, IN_PROGRESS, PENDING, RESOLVED, CLOSED, CANCELLED = "3745", "3747", "3749", "3746", "3748", "3750"

STATUSES: tuple[Json, ...] = (
    {"id": OPEN, "name": "Open", "color": "#3B82F6", "active": True, "awaiting": True},
    {"id": IN_PROGRESS, "name": "In Progress", "color": "#F59E0B", "active": True},
    {"id": PENDING, "name": "Pending", "color": "#8B5CF6", "active": True},
    {"id": RESOLVED, "name": "Resolved", "color": "#10B981", "closed": True},
    {"id": CLOSED, "name": "Closed", "color": "#6B7280", "closed": True},
    {"id": CANCELLED, "name": "Cancelled", "color": "#EF4444", "closed": True},
)

CRITICAL, HIGH, MEDIUM, LOW, PLANNED = "4195", "4196", "4197", "4362", "4373"

PRIORITIES: tuple[Json, ...] = (
    {"id": CRITICAL, "name": "Critical", "color": "#DC2626", "rank": 5},
    {"id": HIGH, "name": "High", "color": "#F97316", "rank": 4},
    {"id": MEDIUM, "name": "Medium", "color": "#EAB308", "rank": 3},
    {"id": LOW, "name": "Low", "color": "#22C55E", "rank": 2},
    {"id": PLANNED, "name": "Planned", "color": "#64748B", "rank": 1},
)

TEAMS: tuple[Json, ...] = (
    {"id": "service-desk", "name": "Service Desk", "departmentId": 1},
    {"id": "network", "name": "Network", "departmentId": 1},
    {"id": "workplace", "name": "Workplace", "departmentId": 1},
    {"id": "applications", "name": "Applications", "departmentId": 2},
    {"id": "security", "name": "Security", "departmentId": 2},
)

CATEGORIES = {
    "6358": "Hardware",
    "7440": "Software",
    "7475": "Access and Accounts",
    "7477": "Network and VPN",
    "7478": "Security",
    "7480": "Email and Calendar",
}

_STILL_OPEN: Json = {"field": "state", "op": "eq", "value": "open"}


VIP = "a7069dca-b9b1-4bf5-9a41-20dd75bf6f62"


def _filter(id_: str, name: str, type_: str, *conditions: Json) -> Json:
    where = conditions[0] if len(conditions) == 1 else {"all": list(conditions)}
    return {"id": id_, "tenant": TENANT, "name": name, "type": type_, "where": where}


FILTERS: tuple[Json, ...] = (
    *(
        _filter(id_, name, "category", {"field": "category", "op": "eq", "value": id_})
        for id_, name in CATEGORIES.items()
    ),
    _filter("7471", "Assigned to Me", "assignment", {"field": "assignee", "op": "eq", "value": "@me"}, _STILL_OPEN),
    _filter("5932", "Unassigned", "assignment", {"field": "assignee", "op": "is_empty"}, _STILL_OPEN),
    _filter("7472", "My Team", "team", {"field": "team", "op": "eq", "value": "@my_teams"}, _STILL_OPEN),
    _filter("7531", "Reopened", "custom", {"field": "fields.reopenCount", "op": "ge", "value": 1}, _STILL_OPEN),
    _filter(
        "7693", "Escalated", "custom", {"field": "tags", "op": "contains_any", "value": ["escalated"]}, _STILL_OPEN
    ),
    _filter(
        VIP,
        "VIP Customers",
        "custom",
        {"field": "tags", "op": "contains_any", "value": ["vip"]},
        _STILL_OPEN,
    ),
    _filter("7476", "Created Today", "time", {"field": "createdAt", "op": "within", "value": "today"}),
    _filter("7479", "Due Today", "time", {"field": "dueAt", "op": "within", "value": "today"}, _STILL_OPEN),
    _filter("7473", "Overdue", "time", {"field": "dueAt", "op": "before", "value": "@now"}, _STILL_OPEN),
    _filter("7474", "At Risk", "sla", {"field": "slaDueAt", "op": "due_within", "value": "PT4H"}, _STILL_OPEN),
    _filter(
        "01a12ac1-8f14-4600-a4ee-c930ee4057bf", "SLA Breached", "custom", {"field": "slaBreached", "op": "is_true"}
    ),
    _filter(
        "004ce44d-b69d-4acb-becd-78c3359e0002",
        "Unassigned > 24h",
        "custom",
        {"field": "assignee", "op": "is_empty"},
        {"field": "createdAt", "op": "older_than", "value": "PT24H"},
        _STILL_OPEN,
    ),
)

PROFILE: Json = {
    "id": "5e2b7c0a-6a1d-4c57-9d0e-2f9b1c3d4e5f",
    "tenant": TENANT,
    "name": "Critical and High",
    "where": {"field": "priority", "op": "in", "value": [CRITICAL, HIGH]},
}
"""A base filter that can narrow each of the filters."""

EXAMPLE_IDS = (
    "all", OPEN, IN_PROGRESS, PENDING, RESOLVED, CLOSED, CANCELLED, CRITICAL, HIGH, MEDIUM, LOW, PLANNED,
    "5932", "7471", "6358", "7474", "7440", "7473", "7475", "7476", "7477", "7478", "7479", "7480", "7472", "7531",
    "7693", VIP, "01a12ac1-8f14-4600-a4ee-c930ee4057bf",
    "004ce44d-b69d-4acb-becd-78c3359e0002",
)  # fmt: skip
"""The filter ids of the example request, in its order."""


def entries(jwks: Json) -> Iterator[Json]:
    """Yields the demo's catalogue entries for `consumers.publish`; `jwks` are the realm's public keys."""
    claims = {"tenants": "tenants"}  # a token is valid only for the tenants that it names
    yield {"kind": "realm", "value": {"name": REALM, "issuer": ISSUER, "jwks": jwks, "claims": claims}}
    tenant = {
        "id": TENANT,
        "name": TENANT_NAME,
        "realm": REALM,
        "statuses": list(STATUSES),
        "priorities": list(PRIORITIES),
        "teams": list(TEAMS),
    }
    yield {"kind": "tenant", "value": tenant}
    for each in FILTERS:
        yield {"kind": "filter", "value": each}
    yield {"kind": "profile", "value": PROFILE}
