"""A validated record of the events topic. Pure values: no I/O, no clock."""

from enum import StrEnum
from typing import Any

import msgspec

from service.domain.tickets.ticket import Instant, Ticket


class EventType(StrEnum):
    """The CloudEvents `type` of a ticket event."""

    CREATED = "ticket.created"
    UPDATED = "ticket.updated"
    CLOSED = "ticket.closed"
    DELETED = "ticket.deleted"


class Patch(msgspec.Struct, frozen=True):
    """An RFC 7396 merge patch of the ticket. Each member is validated."""

    members: dict[str, Any]


class TicketEvent(msgspec.Struct, frozen=True, gc=False):
    """One change of one ticket.

    `change` is the whole ticket after the event, or a patch, or None for a deletion. `sequence` is None only for a
    tombstone without a sequence: it means "one after the ticket's last sequence".
    """

    tenant: str
    ticket: str
    sequence: int | None
    type: EventType
    time: Instant
    change: Ticket | Patch | None


class PoisonEvent(Exception):
    """This record can never be applied: send it to the dead letters, then move past it.

    The message is the dead letter's `reason`. It starts with the name of the wrong field, if there is one.
    """
