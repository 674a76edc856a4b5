"""What a ticket is after an event: the sequence rule, whole tickets, merge patches, deletes. Knows no catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.published.records import Event, Refused, check_ticket


@dataclass(frozen=True, slots=True)
class Ticket:
    """The last sequence applied, and the ticket as JSON; a deleted one has no `data` but keeps its sequence."""

    sequence: int
    last_type: str
    data: dict[str, Any] | None


def after(ticket: Ticket | None, event: Event) -> Ticket | None:
    """The ticket once `event` was read, `ticket` itself where it changes nothing. Raises Refused for a lost patch."""
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
    """RFC 7396, section 2, line by line; the target is left as it was."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
