"""What a store promises to an audit: reads of tickets and counters at one version, and a guarded repair. Types only.

While an audit of a bucket runs, each step notes which tickets of the audited tenant it writes. The audit reads those
again, in the same atomic read as a counter, and so knows what every ticket contributes at exactly that version.

Example: the audit has read tickets 1 to 100 page by page. Meanwhile a step writes ticket 7, and notes it. The next read
returns ticket 7 again with `left` 0, and the counters: both are of the same version, so a difference is drift.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from service.domain.tickets.ticket import Instant, TicketState, TimeBucket
from service.store.ports.catalogue import CatalogueStore
from service.store.ports.steps import TimerStore

MARK_MS = 30_000
"""How long a bucket's audit lasts after its last read: far longer than a pause between two reads, but short enough that
steps soon stop noting tickets for an audit that died."""


class AuditAsk(msgspec.Struct, frozen=True):
    """One read by the audit named `holder` of a tenant's generation.

    `begin` starts the audit anew. `cursor` continues the scan of all tickets (0 at first; None: no scan). The read
    returns about `limit` tickets of the scan, at most `limit` noted ones, and those named in `tickets`.
    """

    tenant: str
    generation: str
    holder: str
    begin: bool = False
    cursor: int | None = None
    limit: int = 200
    tickets: tuple[str, ...] = ()
    counters: tuple[str, ...] = ()


class AuditedTicket(NamedTuple):
    """A ticket's current state (None: no such ticket), and its due time in the due set."""

    ticket: str
    ticket_state: TicketState | None
    due_at: Instant | None


class StoredCounter(msgspec.Struct, frozen=True):
    """A whole counter: part -> column -> count, and the fields of its counts by time (`apply_plan.timed_fields`)."""

    columns: Mapping[str, Mapping[int, int]]
    fields: Mapping[str, int]


class AuditRead(msgspec.Struct, frozen=True):
    """One atomic read.

    `left` is the number of noted tickets that are still to be read. At 0, the states read of all tickets are those at
    `version`, and only then `counters` are returned (else None). `next_due` is the earliest due time in the bucket.
    """

    run: str
    record_version: str
    version: int
    timers: Instant | None
    next_due: Instant | None
    cursor: int
    left: int
    tickets: Sequence[AuditedTicket]
    counters: Mapping[str, StoredCounter] | None


class RightCounter(msgspec.Struct, frozen=True):
    """The right values of a counter: all masks and time buckets, and those `fields` that are wrong."""

    masks: Mapping[str, Mapping[int, int]]
    """part -> mask -> tickets."""
    time_buckets: Mapping[str, Mapping[TimeBucket, int]]
    """part -> column and quarter hour -> tickets."""
    fields: Mapping[str, int]


class Repair(msgspec.Struct, frozen=True):
    """Counters to replace, if the tenant is still at `version` and the running audit is `holder`'s."""

    tenant: str
    generation: str
    holder: str
    version: int
    counters: Mapping[str, RightCounter]


class AuditedStore(TimerStore, CatalogueStore, Protocol):
    """A store that can be audited. Raises StoreUnavailable; notes may then be lost, so begin the audit anew."""

    async def audit(self, ask: AuditAsk) -> AuditRead | None:
        """Reads; None when this audit doesn't run (any more), another one runs in the bucket, or the generation doesn't
        serve: begin later."""

    async def end_audit(self, tenant: str, generation: str, holder: str) -> None:
        """Ends this audit: steps stop noting tickets for it."""

    async def repair(self, repair: Repair) -> int | None:
        """Replaces the counters, raises the version, publishes a hint, and returns the new version.

        None, and nothing is written, when the tenant's version or the running audit is another.
        """

    async def counter_names(self, cursor: int, limit: int) -> tuple[int, Sequence[tuple[str, str, str]]]:
        """Returns the next cursor, 0 at the end, and some stored (tenant, generation, counter).

        A whole scan returns each counter that exists from start to end at least once.
        """
