"""What a record of the events topic says, once it has been checked. Pure values: no I/O, no clock."""

from enum import StrEnum
from typing import Any

import msgspec

from service.domain.tickets.ticket import Instant, Ticket


class EventType(StrEnum):
    """CloudEvents `type` of the contract's events."""

    CREATED = "ticket.created"
    UPDATED = "ticket.updated"
    CLOSED = "ticket.closed"
    DELETED = "ticket.deleted"


class Patch(msgspec.Struct, frozen=True):
    """An RFC 7396 merge patch on the last state of a ticket, its members already checked one by one."""

    members: dict[str, Any]


class TicketEvent(msgspec.Struct, frozen=True, gc=False):
    """One change of one ticket.

    `change` is the whole ticket after it, or a patch, or None for a deletion. `sequence` is None only for
    a tombstone that brought none: it stands for "one after the ticket's last".
    """

    tenant: str
    ticket: str
    sequence: int | None
    type: EventType
    time: Instant
    change: Ticket | Patch | None


class PoisonEvent(Exception):
    """This record can never be applied: park it as a dead letter, then move past it.

    The message is the dead letter's `reason`; it starts with the name of the offending field where there is one.
    """
