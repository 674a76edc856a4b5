"""Records as a publisher would write them, each changed in one place by its test; never looks into what reads them."""

import json
from typing import Any

from consumers.decoding.event_record import decode
from service.domain.tickets.event import EventType, PoisonEvent, TicketEvent
from service.domain.tickets.ticket import Ticket

TENANT = "7a1c"
TICKET = "INC0000045"
TIMESTAMP_MS = 1_795_256_100_250

Json = dict[str, Any]
Headers = list[tuple[str, bytes | None]]

KEY = f"{TENANT}/{TICKET}".encode()

DATA: Json = {
    "status": "3747",
    "priority": "4196",
    "category": "55",
    "team": "network",
    "assignee": "agent-12",
    "requester": "user-881",
    "createdAt": "2026-11-21T08:00:00Z",
    "updatedAt": "2026-11-21T10:15:00Z",
    "dueAt": "2026-11-22T08:00:00Z",
    "slaDueAt": "2026-11-21T18:00:00Z",
    "slaBreached": False,
    "closedAt": None,
    "tags": ["vip"],
    "fields": {"product": "P-424", "reopenCount": 1},
}
"""The contract's example."""

MERGE_PATCH = "application/merge-patch+json"
STRUCTURED: Headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]


def cloud_event(**changes: Any) -> Json:
    """The contract's example with these attributes; one that is `...` is left out."""
    event = {
        "specversion": "1.0",
        "id": "e-991",
        "source": "/helpdesk/eu",
        "type": "ticket.updated",
        "subject": TICKET,
        "time": "2026-11-21T10:15:00Z",
        "tenantid": TENANT,
        "sequence": "7",
        "data": DATA,
        **changes,
    }
    return {name: value for name, value in event.items() if value is not ...}


def binary(event: Json, content_type: bytes | None = b"application/json") -> Headers:
    """The headers of that event in binary mode."""
    headers: Headers = [(f"ce_{name}", str(value).encode()) for name, value in event.items() if name != "data"]
    return headers if content_type is None else [("content-type", content_type), *headers]


def decoded(value: Any, headers: Headers | None = None, key: bytes | None = None) -> TicketEvent:
    """The event in a record of this value: bytes, None for a tombstone, else what is to be written as JSON."""
    written = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
    return decode(key, written, headers or [], TIMESTAMP_MS)


def decoded_data(data: Any, **changes: Any) -> TicketEvent:
    """The event with this data."""
    return decoded(cloud_event(data=data, **changes))


def event_or_reason(value: Any, headers: Headers | None = None, key: bytes | None = None) -> TicketEvent | str:
    """The event in a record, or the reason why it is a dead letter."""
    try:
        return decoded(value, headers, key)
    except PoisonEvent as poison:
        return str(poison)


TIME = 1_795_256_100_000_000
EXAMPLE = TicketEvent(
    TENANT,
    TICKET,
    7,
    EventType.UPDATED,
    TIME,
    Ticket(
        status="3747",
        created_at=1_795_248_000_000_000,
        priority="4196",
        category="55",
        team="network",
        assignee="agent-12",
        requester="user-881",
        updated_at=TIME,
        due_at=1_795_334_400_000_000,
        sla_due_at=1_795_284_000_000_000,
        tags=("vip",),
        fields={"product": "P-424", "reopenCount": 1},
    ),
)
PLAIN = cloud_event(data=...)
"""Its attributes alone."""
