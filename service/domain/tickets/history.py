"""What one more event makes of a ticket: the sequence rule, remembered deletes, merge patches.

Pure, and knows one ticket only; never computes what the ticket contributes.
"""

from enum import Enum
from typing import Any

import msgspec

from service.domain.tickets.event import EventType, Patch, PoisonEvent, TicketEvent
from service.domain.tickets.ticket import Ticket, TicketState

LARGEST_SEQUENCE = 2**63 - 1
"""The highest one an event may bring; nothing can come after it."""


class Unchanged(Enum):
    """Why an event changes nothing."""

    DUPLICATE = "the ticket's last event again"
    CONFLICTING = "other content under the ticket's last sequence: the first applied wins"
    LATE = "a sequence below the ticket's last"
    NOTHING_TO_DELETE = "a tombstone without sequence for a ticket that isn't there"


class Advanced(msgspec.Struct, frozen=True, gc=False):
    """The event applies.

    `ticket_state` is new but for what it contributes (`mask`, `due_at`, `time_buckets`): that is still the old one's,
    the caller's to subtract and to replace. `gap`: a patch that doesn't follow the last sequence at once, so one may be
    missing.
    """

    ticket_state: TicketState
    gap: bool = False


def advance(ticket_state: TicketState | None, event: TicketEvent) -> Advanced | Unchanged:
    """What the event makes of a ticket whose image is this (None: never heard of).

    Raises PoisonEvent for a patch that has nothing to be applied to, or would take away what each ticket has.
    """
    sequence = event.sequence
    if sequence is None:
        return _deleted_next(ticket_state, event)
    if ticket_state is None:
        return Advanced(TicketState(sequence, _content(None, event), event.time))
    if sequence > ticket_state.sequence:
        gap = sequence > ticket_state.sequence + 1 and isinstance(event.change, Patch)
        return Advanced(_succeeded(ticket_state, sequence, event), gap)
    if sequence < ticket_state.sequence:
        return Unchanged.LATE
    return Unchanged.DUPLICATE if _says_the_same(ticket_state.ticket, event) else Unchanged.CONFLICTING


def merge_patch(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The target with the patch merged into it (RFC 7396, section 2); both stay as they are."""
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


def _deleted_next(ticket_state: TicketState | None, event: TicketEvent) -> Advanced | Unchanged:
    """A tombstone without sequence stands one after the last; after the very last it takes that one's place."""
    if ticket_state is None or ticket_state.ticket is None:
        return Unchanged.NOTHING_TO_DELETE
    return Advanced(_succeeded(ticket_state, min(ticket_state.sequence + 1, LARGEST_SEQUENCE), event))


def _succeeded(ticket_state: TicketState, sequence: int, event: TicketEvent) -> TicketState:
    return TicketState(
        sequence,
        _content(ticket_state.ticket, event),
        event.time,
        ticket_state.mask,
        ticket_state.due_at,
        ticket_state.time_buckets,
    )


def _content(ticket: Ticket | None, event: TicketEvent) -> Ticket | None:
    """The ticket after the event, None after a delete."""
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


def _says_the_same(ticket: Ticket | None, event: TicketEvent) -> bool:
    """Whether applying it once more would change nothing: patches are idempotent, so this holds for them too."""
    if isinstance(event.change, Patch):
        return ticket is not None and _content(ticket, event) == ticket
    return event.change == ticket
