"""Applies an event to a ticket: the sequence rule, whole tickets, merge patches, deletes. Knows no catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.published.records import Event, Refused, check_ticket


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as JSON, with its last sequence. A deleted ticket has no `data` but keeps its sequence."""

    sequence: int
    last_type: str
    data: dict[str, Any] | None


def after(ticket: Ticket | None, event: Event) -> Ticket | None:
    """Returns the ticket after the event, or `ticket` itself if nothing changes. Raises Refused for a lost patch."""
    if event.sequence is None:
        if ticket is None or ticket.data is None:
            return ticket
        return Ticket(ticket.sequence + 1, event.type, None)
    if ticket is not None and event.sequence <= ticket.sequence:
        return ticket
    if event.type == "ticket.deleted":
        return Ticket(event.sequence, event.type, None)
    data = event.data
    if event.patch:
        if ticket is None or ticket.data is None:
            raise Refused("a patch of a ticket that isn't there")
        data = dict(merge_patch(ticket.data, event.data))
        check_ticket(data)
    return Ticket(event.sequence, event.type, data)


def merge_patch(target: Any, patch: Any) -> Any:
    """Returns a copy of the target with the patch merged into it (RFC 7396, section 2)."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
