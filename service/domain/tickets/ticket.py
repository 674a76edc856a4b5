"""What a ticket is, and what is remembered of one that was deleted. Pure values: no I/O, no clock."""

from typing import Any

import msgspec

Instant = int
"""Microseconds since the Unix epoch, in UTC."""

QUARTER_US = 900_000_000
"""A quarter of an hour: every time zone's days begin and end with one."""

TimeBucket = tuple[int, int]
"""A column that is kept by time, and the quarter of an hour since the epoch that a ticket counts at there."""


class Ticket(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The whole state of one ticket after its newest applied event.

    Empty strings for ids and instants never get here: the edge turns them into None.
    """

    status: str
    created_at: Instant
    priority: str | None = None
    category: str | None = None
    team: str | None = None
    assignee: str | None = None
    requester: str | None = None
    updated_at: Instant | None = None
    due_at: Instant | None = None
    sla_due_at: Instant | None = None
    closed_at: Instant | None = None
    sla_breached: bool = False
    tags: tuple[str, ...] = ()
    fields: dict[str, Any] = {}
    closed_by_event: bool = False
    """The newest event was `ticket.closed`: decides `state` where the catalogue doesn't know the status."""


class TicketState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the store keeps of one ticket: its state, its last sequence, and what it contributes now.

    A deleted ticket keeps its sequence (`ticket` is None), so that late older events stay without effect.
    """

    sequence: int
    ticket: Ticket | None
    changed_at: Instant
    """The event time of the last applied change; what a remembered delete is aged by."""
    mask: int = 0
    """Columns it counts in now, bit N for column N."""
    due_at: Instant | None = None
    """When its contributions change next without any event, and None when never."""
    time_buckets: tuple[TimeBucket, ...] = ()
    """Where it counts now in those columns of the mask that are kept by time."""
