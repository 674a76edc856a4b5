"""Generates the events of an invented help desk: a stock of tickets with a past, then endless live events.

The same seed and start give the same events, byte for byte. Reads no clock and publishes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.demo.desk.desk import Desk
from deploy.demo.desk.example import CATEGORIES, CLOSED, RESOLVED
from deploy.demo.desk.office_hours import DAY_US, US, activity, busy_instant, within_hours
from deploy.demo.desk.ticket import DemoTicket

STOCK = 1_542
"""Initial number of tickets: the count of `all` in the API's example."""

STOCK_AGE_US = 24 * DAY_US
"""The oldest ticket of the stock is at most this old. With the usual times to resolve, a third of the stock is open."""

OPEN_SHARE = 0.31
"""The share of open tickets to keep: 479 of 1,542 in the example."""

MOST_TICKETS = 2 * STOCK
"""Above this number, each event also deletes a closed ticket, so that a demo that runs for a week stays small."""

NIGHT_PACE = 0.5
"""Slowest pace of live events at night and at weekends. Slower would be realistic, but dull to watch."""

BURST_CHANCE = 1 / 400
"""The chance of an outage per event."""
BURST_TICKETS = (8, 20)
BURST_GAP_US = US // 10

NEW_SHARE_BELOW, NEW_SHARE_ABOVE = 0.3, 0.1
"""The share of events that open a ticket, while the open share is below or above OPEN_SHARE."""
SETTLE_SHARE = 0.13
"""The share of events that close or reopen a resolved ticket."""
REOPEN_LATE_SHARE = 0.01
"""The share of events that reopen a closed or cancelled ticket."""
TRASH_SHARE = 0.01
"""The share of events that delete a closed or cancelled ticket: mistakes and duplicates."""

FIRST_NUMBER = 1


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """An event as a line of NDJSON, and its instant in microseconds since the epoch."""

    at_us: int
    line: bytes


class Histories:
    """The tickets of one help desk; live events begin at `start_us`."""

    def __init__(self, seed: int, start_us: int) -> None:
        self._desk = Desk(seed)
        self._rng = self._desk.rng
        self._start_us = start_us
        # A publisher that is started again has higher sequences than before, so its events aren't ignored as old.
        self._first_sequence = start_us // 1_000
        self._next_number = FIRST_NUMBER
        self._open: list[DemoTicket] = []
        self._resolved: list[DemoTicket] = []
        self._done: list[DemoTicket] = []

    def stock(self, count: int = STOCK) -> Iterator[bytes]:
        """Yields the last event of each of `count` tickets, oldest event first, like a real installation's import."""
        created = sorted(busy_instant(self._rng, self._start_us - STOCK_AGE_US, self._start_us) for _ in range(count))
        last = [(ticket.updated_us, ticket.event(kind), ticket) for ticket, kind in map(self._with_past, created)]
        for _, line, ticket in sorted(last, key=lambda each: each[0]):
            self._keep(ticket)
            yield line

    def live(self, rate: float) -> Iterator[LiveEvent]:
        """Yields live events for ever: on average `rate` a second in the busiest office hours."""
        at_us = self._start_us
        while True:
            if self._rng.random() < BURST_CHANCE:
                for event in self._outage(at_us):
                    at_us = event.at_us
                    yield event
            at_us += int(self._rng.expovariate(rate * max(activity(at_us), NIGHT_PACE)) * US)
            yield LiveEvent(at_us, self._any_event(at_us))
            if self._total > MOST_TICKETS and self._done:
                yield LiveEvent(at_us, self._trash(at_us))

    @property
    def _total(self) -> int:
        return len(self._open) + len(self._resolved) + len(self._done)

    def _with_past(self, created_us: int) -> tuple[DemoTicket, str]:
        """Returns a ticket as it is at the start, and the kind of its last event."""
        ticket, kind = self._open_ticket(created_us), "created"
        while ticket.status != CLOSED:
            move = self._desk.next_move(ticket)
            at_us = within_hours(ticket.updated_us + int(self._rng.expovariate(1 / move.after_us)))
            if at_us >= self._start_us:
                break
            kind = self._desk.make(move, ticket, at_us)
        return ticket, kind

    def _any_event(self, at_us: int) -> bytes:
        is_below = len(self._open) < OPEN_SHARE * self._total
        if self._rng.random() < (NEW_SHARE_BELOW if is_below else NEW_SHARE_ABOVE) or not self._open:
            return self._new(at_us)
        dice = self._rng.random()
        if dice < SETTLE_SHARE and self._resolved:
            return self._move_any(self._resolved, at_us)
        dice -= SETTLE_SHARE
        if 0 <= dice < REOPEN_LATE_SHARE + TRASH_SHARE and self._done:
            return self._move_any(self._done, at_us) if dice < REOPEN_LATE_SHARE else self._trash(at_us)
        return self._move_any(self._open, at_us)

    def _outage(self, at_us: int) -> Iterator[LiveEvent]:
        """Yields many new tickets of one category within seconds."""
        category = self._rng.choice(tuple(CATEGORIES))
        for _ in range(self._rng.randint(*BURST_TICKETS)):
            at_us += int(self._rng.expovariate(1 / BURST_GAP_US))
            yield LiveEvent(at_us, self._new(at_us, category))

    def _new(self, at_us: int, category: str | None = None) -> bytes:
        ticket = self._open_ticket(at_us, category)
        self._keep(ticket)
        return ticket.event("created")

    def _move_any(self, tickets: list[DemoTicket], at_us: int) -> bytes:
        ticket = self._pop_random(tickets)
        kind = self._desk.make(self._desk.next_move(ticket), ticket, at_us)
        self._keep(ticket)
        return ticket.event(kind)

    def _trash(self, at_us: int) -> bytes:
        ticket = self._pop_random(self._done)
        ticket.sequence += 1
        ticket.updated_us = at_us
        return ticket.event("deleted")

    def _pop_random(self, tickets: list[DemoTicket]) -> DemoTicket:
        """Removes and returns a random ticket, without shifting the list."""
        index = self._rng.randrange(len(tickets))
        tickets[index], tickets[-1] = tickets[-1], tickets[index]
        return tickets.pop()

    def _open_ticket(self, at_us: int, category: str | None = None) -> DemoTicket:
        number, self._next_number = self._next_number, self._next_number + 1
        return self._desk.open(f"INC{number:07}", at_us, self._first_sequence, category)

    def _keep(self, ticket: DemoTicket) -> None:
        pool = self._resolved if ticket.status == RESOLVED else self._done if ticket.done else self._open
        pool.append(ticket)
