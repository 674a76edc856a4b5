"""Applies an event to one ticket: the sequence rule, remembered deletes, merge patches.

Pure; knows no other ticket and never computes contributions.
"""

from enum import Enum
from typing import Any

import msgspec

from service.domain.tickets.event import EventType, Patch, PoisonEvent, TicketEvent
from service.domain.tickets.ticket import Ticket, TicketState

LARGEST_SEQUENCE = 2**63 - 1
"""The highest sequence that an event may have. No event can follow it."""


class Unchanged(Enum):
    """The reason why an event changes nothing."""

    DUPLICATE = "the ticket's last event again"
    CONFLICTING = "other content under the ticket's last sequence: the first applied wins"
    LATE = "a sequence below the ticket's last"
    NOTHING_TO_DELETE = "a tombstone without sequence for a ticket that isn't there"


class Advanced(msgspec.Struct, frozen=True, gc=False):
    """The event applies.

    `ticket_state` has the new ticket, but still the old `mask`, `next_change_at` and `time_buckets`: the caller
    subtracts those and evaluates the new ticket. `gap` is set for a patch that skips sequences: an earlier event may be
    missing.
    """

    ticket_state: TicketState
    gap: bool = False


def advance(ticket_state: TicketState | None, event: TicketEvent) -> Advanced | Unchanged:
    """Applies the event to a ticket state (None: no event of this ticket was applied before).

    An event whose sequence is not higher than the last one changes nothing. Raises PoisonEvent for a patch of an
    unknown or deleted ticket, and for a patch that removes `status` or `createdAt`.
    """
    sequence = event.sequence
    if sequence is None:
        return _deleted_without_sequence(ticket_state, event)
    if ticket_state is None:
        return Advanced(TicketState(sequence, _content(None, event), event.time))
    if sequence > ticket_state.sequence:
        gap = sequence > ticket_state.sequence + 1 and isinstance(event.change, Patch)
        return Advanced(_succeeded(ticket_state, sequence, event), gap)
    if sequence < ticket_state.sequence:
        return Unchanged.LATE
    return Unchanged.DUPLICATE if _is_repeated(ticket_state.ticket, event) else Unchanged.CONFLICTING


def merge_patch(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Returns a copy of the target with the patch merged into it (RFC 7396, section 2)."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            before = merged.get(name)
            merged[name] = merge_patch(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def _deleted_without_sequence(ticket_state: TicketState | None, event: TicketEvent) -> Advanced | Unchanged:
    """Applies a tombstone without sequence as the last sequence plus one, at most `LARGEST_SEQUENCE`."""
    if ticket_state is None or ticket_state.ticket is None:
        return Unchanged.NOTHING_TO_DELETE
    return Advanced(_succeeded(ticket_state, min(ticket_state.sequence + 1, LARGEST_SEQUENCE), event))


def _succeeded(ticket_state: TicketState, sequence: int, event: TicketEvent) -> TicketState:
    return TicketState(
        sequence,
        _content(ticket_state.ticket, event),
        event.time,
        ticket_state.mask,
        ticket_state.next_change_at,
        ticket_state.time_buckets,
    )


def _content(ticket: Ticket | None, event: TicketEvent) -> Ticket | None:
    """Returns the ticket after the event, None after a delete."""
    change = event.change
    if not isinstance(change, Patch):
        return change
    if ticket is None:
        raise PoisonEvent("data: a patch, but the ticket is unknown or deleted")
    return _patched(ticket, change, event.type is EventType.CLOSED)


def _patched(ticket: Ticket, patch: Patch, closed_by_event: bool) -> Ticket:
    members = dict(patch.members, closed_by_event=closed_by_event)
    for required, name in (("status", "data.status"), ("created_at", "data.createdAt")):
        if required in members and members[required] is None:
            raise PoisonEvent(f"{name}: can't be removed")
    if "fields" in members:
        fields = members["fields"]
        members["fields"] = {} if fields is None else merge_patch(ticket.fields, fields)
    return msgspec.structs.replace(ticket, **members)


def _is_repeated(ticket: Ticket | None, event: TicketEvent) -> bool:
    """Whether the event would leave the ticket as it is. This also detects a repeated patch: patches are idempotent."""
    if isinstance(event.change, Patch):
        return ticket is not None and _content(ticket, event) == ticket
    return event.change == ticket
