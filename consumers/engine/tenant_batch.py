"""Builds what a step writes of one tenant: tickets are changed in memory and evaluated at one instant. No I/O."""

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
    """The instant that tickets of the bucket have to be evaluated at: `latest`, but before the next one is due.

    So the whole bucket is always as it should be at one instant, its timers.
    """
    at = latest if loaded.next_due is None else min(latest, loaded.next_due - 1)
    return at if loaded.state.timers is None else max(at, loaded.state.timers)


class TenantBatchBuilder:
    """Some tickets of one tenant, as loaded and as changed since; evaluated `at` an instant no later than `now`."""

    def __init__(self, tenant: CompiledTenant, loaded: Loaded, at: Instant, now: Instant) -> None:
        self._tenant = tenant
        self._loaded = loaded
        self._at = at
        self._now = now
        self._images: dict[str, TicketState] = {}
        self._fired: set[str] = set()
        self._absent: set[str] = set()
        self._as_of: Instant | None = None

    @property
    def tenant(self) -> CompiledTenant:
        """What its tickets are evaluated by."""
        return self._tenant

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return bool(self._images or self._absent)

    def advance(self, event: TicketEvent) -> str:
        """Applies one event; returns what became of it, for the metrics. Raises PoisonEvent."""
        before = self._images.get(event.ticket) or self._loaded.tickets[event.tenant, event.ticket].ticket_state
        after = advance(before, event)
        if isinstance(after, Unchanged):
            return after.name.lower()
        assert isinstance(after, Advanced)
        self._images[event.ticket] = after.ticket_state
        seen = event.time if event.time < self._now else self._now
        if self._as_of is None or seen > self._as_of:
            self._as_of = seen
        return "applied_after_gap" if after.gap else "applied"

    def ticket(self, ticket: str) -> Ticket | None:
        """The ticket as the last event that was applied here has left it."""
        return self._images[ticket].ticket

    def copy(self, ticket: str, original: TicketState | None) -> None:
        """Copies a ticket as it is in another generation."""
        if original is None:
            return
        stored = self._loaded.tickets[self._tenant.name, ticket].ticket_state
        if stored is None or _content(stored) != _content(original) or stored != self._counted(stored):
            self._images[ticket] = original

    async def reevaluate(self, tickets: Iterable[str]) -> None:
        """Works out the contributions of tickets again; those that differ from the stored ones are written."""
        turns = Turns()
        for ticket in tickets:
            ticket_state = self._loaded.tickets[self._tenant.name, ticket].ticket_state
            if (
                ticket_state is not None
                and ticket_state.ticket is not None
                and ticket_state != self._counted(ticket_state)
            ):
                self._images[ticket] = ticket_state
            if turns.over:
                await turns.next()

    def knows(self, ticket: str) -> bool:
        """Whether the ticket was ever written; a deleted one was."""
        return self._loaded.tickets[self._tenant.name, ticket].ticket_state is not None

    def fire(self, ticket: str) -> None:
        """Evaluates a due ticket again, whenever it says it is due. One that was never written is due no more."""
        ticket_state = self._loaded.tickets[self._tenant.name, ticket].ticket_state
        if ticket_state is None:
            self._absent.add(ticket)
        else:
            self._images[ticket] = ticket_state
            self._fired.add(ticket)

    async def build(self) -> TenantBatch:
        """What to write: each ticket once, each cell once. Yields to other tasks: many columns take long."""
        return await in_turns(self._building())

    def _building(self) -> Steps[TenantBatch]:
        changes = Changes()
        writes = [TicketWrite(ticket, NEVER_WRITTEN, None, UNKNOWN_DUE) for ticket in sorted(self._absent)]
        for ticket, ticket_state in self._images.items():
            stored = self._loaded.tickets[self._tenant.name, ticket]
            after = self._counted(ticket_state)
            changes.add(stored.ticket_state, after)
            due_before = (
                UNKNOWN_DUE if ticket in self._fired else stored.ticket_state.due_at if stored.ticket_state else None
            )
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
        """The image with what it contributes."""
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
    """What an image says but for what it contributes."""
    return ticket_state.sequence, ticket_state.ticket, ticket_state.changed_at
