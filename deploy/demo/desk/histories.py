"""Ticket histories without end, as events: first a stock of tickets as it stands, then what happens next.

The same seed and start give the same events, byte for byte. Reads no clock and sends nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.demo.desk.desk import Desk
from deploy.demo.desk.example import CATEGORIES, CLOSED, RESOLVED
from deploy.demo.desk.office_hours import DAY_US, US, activity, busy_instant, within_hours
from deploy.demo.desk.ticket import DemoTicket

STOCK = 1_542
"""Tickets in the beginning: what the example's `all` says."""

STOCK_AGE_US = 24 * DAY_US
"""The stock was opened within this time: with what a ticket takes, a third of it is open."""

OPEN_SHARE = 0.31
"""Of all tickets, the share that stays open; 479 of 1,542 in the example."""

MOST_TICKETS = 2 * STOCK
"""Above it a closed ticket is trashed with every event: a demo left alone for a week stays small."""

NIGHT_PACE = 0.5
"""At night and at weekends events come half as fast, not as slow as they would: somebody may be watching."""

BURST_CHANCE = 1 / 400
"""An outage, once in so many events."""
BURST_TICKETS = (8, 20)
BURST_GAP_US = US // 10

NEW_SHARE_BELOW, NEW_SHARE_ABOVE = 0.3, 0.1
"""Of all events, how many open a ticket while fewer, or more, are open than there should be."""
SETTLE_SHARE = 0.13
"""Of all events, how many confirm or reopen what was just resolved."""
REOPEN_LATE_SHARE = 0.01
"""Of all events, how many reopen what was over for good; mistakes and mergers trash as many."""
TRASH_SHARE = 0.01

FIRST_NUMBER = 1


@dataclass(frozen=True, slots=True)
class Happening:
    """An event as a line of NDJSON, and when it is due, in microseconds since the epoch."""

    at_us: int
    line: bytes


class Histories:
    """The tickets of one help desk from `start_us` on."""

    def __init__(self, seed: int, start_us: int) -> None:
        self._desk = Desk(seed)
        self._rng = self._desk.rng
        self._start_us = start_us
        # Sequences of a later start are higher, so a publisher that starts anew goes on where the last one stopped.
        self._first_sequence = start_us // 1_000
        self._next_number = FIRST_NUMBER
        self._open: list[DemoTicket] = []
        self._resolved: list[DemoTicket] = []
        self._over: list[DemoTicket] = []

    def stock(self, count: int = STOCK) -> Iterator[bytes]:
        """The last event of `count` tickets with a past, oldest first: an import, as installations begin with."""
        created = sorted(busy_instant(self._rng, self._start_us - STOCK_AGE_US, self._start_us) for _ in range(count))
        told = [(ticket.updated_us, ticket.event(kind), ticket) for ticket, kind in map(self._lived, created)]
        for _, line, ticket in sorted(told, key=lambda each: each[0]):
            self._keep(ticket)
            yield line

    def live(self, rate: float) -> Iterator[Happening]:
        """What happens from the start on, for ever, `rate` times a second while the desk is busy."""
        at_us = self._start_us
        while True:
            if self._rng.random() < BURST_CHANCE:
                for happening in self._outage(at_us):
                    at_us = happening.at_us
                    yield happening
            at_us += int(self._rng.expovariate(rate * max(activity(at_us), NIGHT_PACE)) * US)
            yield Happening(at_us, self._one(at_us))
            if self._total > MOST_TICKETS and self._over:
                yield Happening(at_us, self._trash(at_us))

    @property
    def _total(self) -> int:
        return len(self._open) + len(self._resolved) + len(self._over)

    def _lived(self, created_us: int) -> tuple[DemoTicket, str]:
        """A ticket as it stands at the start, and what its last event was."""
        ticket, kind = self._opened(created_us), "created"
        while ticket.status != CLOSED:
            move = self._desk.next_move(ticket)
            at_us = within_hours(ticket.updated_us + int(self._rng.expovariate(1 / move.after_us)))
            if at_us >= self._start_us:
                break
            kind = self._desk.make(move, ticket, at_us)
        return ticket, kind

    def _one(self, at_us: int) -> bytes:
        few = len(self._open) < OPEN_SHARE * self._total
        if self._rng.random() < (NEW_SHARE_BELOW if few else NEW_SHARE_ABOVE) or not self._open:
            return self._new(at_us)
        dice = self._rng.random()
        if dice < SETTLE_SHARE and self._resolved:
            return self._moved(self._resolved, at_us)
        dice -= SETTLE_SHARE
        if 0 <= dice < REOPEN_LATE_SHARE + TRASH_SHARE and self._over:
            return self._moved(self._over, at_us) if dice < REOPEN_LATE_SHARE else self._trash(at_us)
        return self._moved(self._open, at_us)

    def _outage(self, at_us: int) -> Iterator[Happening]:
        """Many call about the same thing within seconds."""
        category = self._rng.choice(tuple(CATEGORIES))
        for _ in range(self._rng.randint(*BURST_TICKETS)):
            at_us += int(self._rng.expovariate(1 / BURST_GAP_US))
            yield Happening(at_us, self._new(at_us, category))

    def _new(self, at_us: int, category: str | None = None) -> bytes:
        ticket = self._opened(at_us, category)
        self._keep(ticket)
        return ticket.event("created")

    def _moved(self, tickets: list[DemoTicket], at_us: int) -> bytes:
        ticket = self._taken(tickets)
        kind = self._desk.make(self._desk.next_move(ticket), ticket, at_us)
        self._keep(ticket)
        return ticket.event(kind)

    def _trash(self, at_us: int) -> bytes:
        ticket = self._taken(self._over)
        ticket.sequence += 1
        ticket.updated_us = at_us
        return ticket.event("deleted")

    def _taken(self, tickets: list[DemoTicket]) -> DemoTicket:
        """Any of them, removed without moving all behind it."""
        index = self._rng.randrange(len(tickets))
        tickets[index], tickets[-1] = tickets[-1], tickets[index]
        return tickets.pop()

    def _opened(self, at_us: int, category: str | None = None) -> DemoTicket:
        number, self._next_number = self._next_number, self._next_number + 1
        return self._desk.open(f"INC{number:07}", at_us, self._first_sequence, category)

    def _keep(self, ticket: DemoTicket) -> None:
        pool = self._resolved if ticket.status == RESOLVED else self._over if ticket.done else self._open
        pool.append(ticket)
