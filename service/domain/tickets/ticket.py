"""A ticket, and the state that the store keeps of it. Pure values: no I/O, no clock."""

from typing import Any

import msgspec

Instant = int
"""Microseconds since the Unix epoch, in UTC."""

QUARTER_US = 900_000_000
"""A quarter of an hour. The local days of every supported zone begin and end on a quarter."""

TimeBucket = tuple[int, int]
"""The number of a column kept by time, and the quarter of an hour since the epoch in which a ticket counts there.

Example: `createdAt` 1970-01-01T00:50:00Z is in quarter 3.
"""


class Ticket(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One ticket after its newest applied event.

    Ids and instants are never empty strings: the decoder turns those into None.
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
    """Whether the newest event was `ticket.closed`. Decides `state` when the catalogue doesn't know the status."""


class TicketState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The stored state of one ticket: its newest content, its last sequence, and what it contributes now.

    A deleted ticket (`ticket` is None) keeps its sequence, so that older events that arrive late have no effect.
    """

    sequence: int
    ticket: Ticket | None
    changed_at: Instant
    """The event time of the last applied change. Remembered deletes expire by it."""
    mask: int = 0
    """The columns that the ticket counts in now: bit N is column N."""
    next_change_at: Instant | None = None
    """The instant at which time alone changes its contributions next; None when never."""
    time_buckets: tuple[TimeBucket, ...] = ()
    """The quarters that it counts in now, for those columns of the mask that are kept by time."""
