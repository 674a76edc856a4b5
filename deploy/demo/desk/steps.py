"""The steps that change a ticket, one function each, with their frequencies. Never opens a ticket."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from deploy.demo.desk.example import ADMIN, CANCELLED, CLOSED, CRITICAL, HIGH, IN_PROGRESS, OPEN, PENDING, RESOLVED
from deploy.demo.desk.office_hours import DAY_US, HOUR_US
from deploy.demo.desk.people import AGENTS, any_agent
from deploy.demo.desk.ticket import DemoTicket

WAITING_ADDS_US = 3 * DAY_US
"""Added to the due times while a ticket waits for the customer's answer: the clock stands still then."""

PROMISED_US = HOUR_US // 2
"""Average time until a hurried ticket is due. Short, so that tickets become overdue while the demo runs."""

TAGS = ("phone", "onsite", "vendor", "known-error", "change")

Step = Callable[[DemoTicket, int, random.Random], None]


@dataclass(frozen=True, slots=True)
class Move:
    """A step, its weight among the steps of a status, and the average time until it is taken."""

    step: Step
    weight: int
    after_us: int


def take(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """An agent takes the ticket, and mostly starts working on it."""
    ticket.assignee = any_agent(rng, ticket.team)
    if rng.random() < 0.8:
        ticket.status = IN_PROGRESS


def move(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The ticket goes to another team, unassigned."""
    ticket.team = rng.choice([team for team in AGENTS if team != ticket.team])
    ticket.assignee = None
    ticket.status = OPEN


def hand_over(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """Another agent of the team takes over."""
    ticket.assignee = any_agent(rng, ticket.team, other_than=ticket.assignee)


def escalate(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The ticket becomes urgent, and in half of the cases goes to the lead."""
    ticket.priority = CRITICAL if ticket.priority == HIGH else HIGH
    ticket.tags.add("escalated")
    ticket.sla_due_us = min(ticket.sla_due_us, at_us + DAY_US)
    if rng.random() < 0.5:
        ticket.team, ticket.assignee = ADMIN.teams[0], ADMIN.user


def touch(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """An agent adds a tag."""
    ticket.tags.add(rng.choice(TAGS))


def hurry(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The due times move forward, because the lead has promised it sooner."""
    ticket.due_us = min(ticket.due_us, at_us + int(rng.expovariate(1 / PROMISED_US)))
    ticket.sla_due_us = min(ticket.sla_due_us, ticket.due_us)


def ask(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The ticket waits for the customer's answer."""
    ticket.status = PENDING
    ticket.due_us += WAITING_ADDS_US
    ticket.sla_due_us += WAITING_ADDS_US


def answered(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The customer has answered."""
    ticket.status = IN_PROGRESS if ticket.assignee else OPEN


def resolve(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The agent resolves the ticket."""
    ticket.assignee = ticket.assignee or any_agent(rng, ticket.team)
    ticket.status, ticket.closed_us = RESOLVED, at_us


def close(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The customer confirms the solution."""
    ticket.status = CLOSED


def cancel(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The ticket isn't needed any more."""
    ticket.status, ticket.closed_us = CANCELLED, at_us


def reopen(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The problem is back."""
    ticket.status, ticket.closed_us = (IN_PROGRESS if ticket.assignee else OPEN), None
    ticket.reopen_count += 1
    ticket.due_us = max(ticket.due_us, at_us + DAY_US)
    ticket.sla_due_us = max(ticket.sla_due_us, at_us + DAY_US)


MOVES: dict[str, tuple[Move, ...]] = {
    OPEN: (
        Move(take, 64, 9 * HOUR_US),
        Move(move, 12, 6 * HOUR_US),
        Move(escalate, 4, 8 * HOUR_US),
        Move(touch, 13, 5 * HOUR_US),
        Move(cancel, 7, 20 * HOUR_US),
    ),
    IN_PROGRESS: (
        Move(ask, 27, 14 * HOUR_US),
        Move(resolve, 36, 30 * HOUR_US),
        Move(hand_over, 8, 12 * HOUR_US),
        Move(hurry, 4, 6 * HOUR_US),
        Move(move, 6, 8 * HOUR_US),
        Move(escalate, 6, 16 * HOUR_US),
        Move(touch, 13, 8 * HOUR_US),
    ),
    PENDING: (
        Move(answered, 66, 50 * HOUR_US),
        Move(resolve, 20, 80 * HOUR_US),
        Move(cancel, 6, 120 * HOUR_US),
        Move(touch, 8, 30 * HOUR_US),
    ),
    RESOLVED: (Move(close, 88, 60 * HOUR_US), Move(reopen, 12, 20 * HOUR_US)),
    CLOSED: (Move(reopen, 1, 3 * DAY_US),),
    CANCELLED: (Move(reopen, 1, 3 * DAY_US),),
}
"""Status -> the possible moves of its tickets."""
