"""Builds the batch that a step writes for one tenant. Changes and evaluates tickets in memory; does no I/O."""

from collections.abc import Iterable

from consumers.engine.tenants import CompiledTenant
from service.domain.counting.contributions import Changes
from service.domain.steps import Steps
from service.domain.tickets.event import TicketEvent
from service.domain.tickets.history import Advanced, Unchanged, advance
from service.domain.tickets.ticket import Instant, Ticket, TicketState
from service.store.ports.steps import NEVER_WRITTEN, UNKNOWN_DUE, Loaded, TenantBatch, TicketWrite
from service.turns import Turns, in_turns


def evaluated_at(loaded: Loaded, latest: Instant) -> Instant:
    """Returns the instant to evaluate the bucket's tickets at: `latest`, but before the next ticket is due.

    It is never before the bucket's timers instant. So all tickets of a bucket are always right as of one instant.
    Example: timers stand at 10:00, a ticket is due at 10:05, `latest` is 10:07. The answer is a microsecond before
    10:05. Once the timers have fired that ticket, it is 10:07.
    """
    at = latest if loaded.next_due is None else min(latest, loaded.next_due - 1)
    return at if loaded.state.timers is None else max(at, loaded.state.timers)


class TenantBatchBuilder:
    """Loaded tickets of one tenant and their changes, evaluated `at` an instant that is no later than `now`."""

    def __init__(self, tenant: CompiledTenant, loaded: Loaded, at: Instant, now: Instant) -> None:
        self._tenant = tenant
        self._loaded = loaded
        self._at = at
        self._now = now
        self._changed: dict[str, TicketState] = {}
        self._fired: set[str] = set()
        self._absent: set[str] = set()
        self._as_of: Instant | None = None

    @property
    def tenant(self) -> CompiledTenant:
        """The tenant, with the columns to evaluate tickets by."""
        return self._tenant

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return bool(self._changed or self._absent)

    def advance(self, event: TicketEvent) -> str:
        """Applies one event. Returns the result, one of `EVENT_RESULTS` in the metrics. Raises PoisonEvent."""
        before = self._changed.get(event.ticket) or self._loaded.tickets[event.tenant, event.ticket].ticket_state
        after = advance(before, event)
        if isinstance(after, Unchanged):
            return after.name.lower()
        assert isinstance(after, Advanced)
        self._changed[event.ticket] = after.ticket_state
        event_time = event.time if event.time < self._now else self._now
        if self._as_of is None or event_time > self._as_of:
            self._as_of = event_time
        return "applied_after_gap" if after.gap else "applied"

    def ticket(self, ticket: str) -> Ticket | None:
        """Returns a changed ticket after its last event; None if that event deleted it."""
        return self._changed[ticket].ticket

    def copy(self, ticket: str, original: TicketState | None) -> None:
        """Copies a ticket from another generation, unless this one has the same content and right contributions."""
        if original is None:
            return
        stored = self._loaded.tickets[self._tenant.name, ticket].ticket_state
        if stored is None or _content(stored) != _content(original) or stored != self._counted(stored):
            self._changed[ticket] = original

    async def reevaluate(self, tickets: Iterable[str]) -> None:
        """Computes the contributions of tickets again, and writes the tickets whose stored contributions differ."""
        turns = Turns()
        for ticket in tickets:
            ticket_state = self._loaded.tickets[self._tenant.name, ticket].ticket_state
            if (
                ticket_state is not None
                and ticket_state.ticket is not None
                and ticket_state != self._counted(ticket_state)
            ):
                self._changed[ticket] = ticket_state
            if turns.over:
                await turns.next()

    def knows(self, ticket: str) -> bool:
        """Whether the ticket was ever written. True for a deleted ticket, whose sequence is kept."""
        return self._loaded.tickets[self._tenant.name, ticket].ticket_state is not None

    def fire(self, ticket: str) -> None:
        """Evaluates a ticket again, whatever its own due instant. A ticket that was never written only loses its due
        entry."""
        ticket_state = self._loaded.tickets[self._tenant.name, ticket].ticket_state
        if ticket_state is None:
            self._absent.add(ticket)
        else:
            self._changed[ticket] = ticket_state
            self._fired.add(ticket)

    async def build(self) -> TenantBatch:
        """Returns the batch: each ticket once, each cell once. Yields to other tasks, since many columns take long."""
        return await in_turns(self._building())

    def _building(self) -> Steps[TenantBatch]:
        changes = Changes()
        writes = [TicketWrite(ticket, NEVER_WRITTEN, None, UNKNOWN_DUE) for ticket in sorted(self._absent)]
        for ticket, ticket_state in self._changed.items():
            stored = self._loaded.tickets[self._tenant.name, ticket]
            after = self._counted(ticket_state)
            changes.add(stored.ticket_state, after)
            before = stored.ticket_state.next_change_at if stored.ticket_state else None
            due_before = UNKNOWN_DUE if ticket in self._fired else before
            writes.append(TicketWrite(ticket, stored.revision, after, due_before))
            yield
        tenant = self._tenant
        return TenantBatch(
            tenant.name,
            tenant.record_version,
            tenant.generation,
            writes,
            changes.deltas(),
            self._as_of,
            changes.time_buckets(),
        )

    def _counted(self, ticket_state: TicketState) -> TicketState:
        """Returns the ticket state with its contributions at `at`; a deleted ticket has none."""
        if ticket_state.ticket is None:
            return TicketState(ticket_state.sequence, None, ticket_state.changed_at)
        counted = self._tenant.columns.counted(ticket_state.ticket, self._at)
        return TicketState(
            ticket_state.sequence,
            ticket_state.ticket,
            ticket_state.changed_at,
            counted.mask,
            counted.next_change_at,
            counted.time_buckets,
        )


def _content(ticket_state: TicketState) -> tuple[object, ...]:
    """Returns the ticket state without its contributions."""
    return ticket_state.sequence, ticket_state.ticket, ticket_state.changed_at
