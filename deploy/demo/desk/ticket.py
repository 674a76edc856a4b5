"""A ticket of the demo and its events. Decides nothing: the desk does."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from deploy.demo.desk.example import CANCELLED, CLOSED, RESOLVED, TENANT

SOURCE = "/demo/help-desk"
DONE = frozenset((RESOLVED, CLOSED, CANCELLED))


@dataclass(slots=True)
class DemoTicket:
    """The state of a ticket; instants in microseconds since the epoch."""

    id: str
    status: str
    priority: str
    category: str
    team: str
    requester: str
    created_us: int
    updated_us: int
    due_us: int
    sla_due_us: int
    sequence: int
    """The sequence of the last event."""
    assignee: str | None = None
    sla_breached: bool = False
    closed_us: int | None = None
    tags: set[str] = field(default_factory=set)
    product: str = ""
    reopen_count: int = 0

    @property
    def done(self) -> bool:
        """Whether it is resolved, closed or cancelled."""
        return self.status in DONE

    def event(self, kind: str) -> bytes:
        """Returns the CloudEvent with the ticket's whole state as a line of NDJSON; `kind` as in `ticket.updated`."""
        envelope: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"{self.id}-{self.sequence}",
            "source": SOURCE,
            "type": f"ticket.{kind}",
            "subject": self.id,
            "time": _instant(self.updated_us),
            "tenantid": TENANT,
            "sequence": str(self.sequence),
        }
        if kind != "deleted":
            envelope["data"] = self._data()
        return msgspec.json.encode(envelope)

    def _data(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "priority": self.priority,
            "category": self.category,
            "team": self.team,
            "assignee": self.assignee,
            "requester": self.requester,
            "createdAt": _instant(self.created_us),
            "updatedAt": _instant(self.updated_us),
            "dueAt": _instant(self.due_us),
            "slaDueAt": _instant(self.sla_due_us),
            "slaBreached": self.sla_breached,
            "closedAt": None if self.closed_us is None else _instant(self.closed_us),
            "tags": sorted(self.tags),
            "fields": {"product": self.product, "reopenCount": self.reopen_count},
        }


def _instant(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
