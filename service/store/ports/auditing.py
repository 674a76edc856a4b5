"""What the stores promise to an audit: reads of tickets and counters that are of one version, and a guarded repair.

While an audit is under way in a bucket, each step notes which tickets of the audited tenant it writes. Whoever reads
those again, in the same atomic read as a counter, knows what every ticket contributes at exactly that version. Holds
types only, does nothing.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from service.domain.tickets.ticket import Instant, TicketState, TimeBucket
from service.store.ports.catalogue import CatalogueStore
from service.store.ports.steps import TimerStore

MARK_MS = 30_000
"""How long a bucket's audit lasts without a sign of life: far longer than a pause between two reads, and not so long
that steps go on noting tickets for nobody."""


class AuditAsk(msgspec.Struct, frozen=True):
    """One read of an audit of a tenant's generation; `holder` names this very audit.

    `begin` starts it anew. `cursor` says where to go on with all tickets (0 at first; None: none), about `limit` at a
    time; at most so many that were noted are read beside them, and `tickets` by name.
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
    """A ticket as it is now (None: there is none), and when the due set says that it is due."""

    ticket: str
    ticket_state: TicketState | None
    due_at: Instant | None


class StoredCounter(msgspec.Struct, frozen=True):
    """All of one counter: part -> column -> count, and what is kept by time as fields (`apply_plan.timed_fields`)."""

    columns: Mapping[str, Mapping[int, int]]
    fields: Mapping[str, int]


class AuditRead(msgspec.Struct, frozen=True):
    """One atomic read.

    `left` says how many tickets that were noted are still to be read: with none left, what was read of every ticket is
    how it is at `version`, and only then `counters` are given (else None). `next_due` is when the first of the bucket's
    tickets is due.
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
    """What a counter has to be: all of it, and of `fields` those that are wrong."""

    masks: Mapping[str, Mapping[int, int]]
    """part -> mask -> tickets."""
    time_buckets: Mapping[str, Mapping[TimeBucket, int]]
    """part -> column and quarter -> tickets."""
    fields: Mapping[str, int]


class Repair(msgspec.Struct, frozen=True):
    """Counters to be replaced, if the tenant is still at `version` and the audit under way is `holder`'s."""

    tenant: str
    generation: str
    holder: str
    version: int
    counters: Mapping[str, RightCounter]


class AuditedStore(TimerStore, CatalogueStore, Protocol):
    """A store that can be audited. Raises StoreUnavailable; what was noted may then be lost: begin anew."""

    async def audit(self, ask: AuditAsk) -> AuditRead | None:
        """None when this audit isn't under way (any more), another one is in the bucket, or the generation is not in
        force: begin later."""

    async def end_audit(self, tenant: str, generation: str, holder: str) -> None:
        """Nothing is noted any more for this audit."""

    async def repair(self, repair: Repair) -> int | None:
        """Replaces the counters, raises the version and hints; the new version. None when the guard says no."""

    async def counter_names(self, cursor: int, limit: int) -> tuple[int, Sequence[tuple[str, str, str]]]:
        """Some (tenant, generation, counter) that are stored, and the next cursor, 0 at the end.

        A whole scan has each that was there all along at least once.
        """
