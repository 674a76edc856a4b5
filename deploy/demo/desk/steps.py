"""What people do to a ticket next: one function a step, and how often each is taken. Never opens a ticket."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from deploy.demo.desk.example import ADMIN, CANCELLED, CLOSED, CRITICAL, HIGH, IN_PROGRESS, OPEN, PENDING, RESOLVED
from deploy.demo.desk.office_hours import DAY_US, HOUR_US
from deploy.demo.desk.people import AGENTS, any_agent
from deploy.demo.desk.ticket import DemoTicket

WAITING_ADDS_US = 3 * DAY_US
"""The clock stands still while the customer is asked; this is what that is worth."""

PROMISED_US = HOUR_US // 2
"""What "soon" means on average. In a running demo, where days are not waited for, this is what gets overdue."""

TAGS = ("phone", "onsite", "vendor", "known-error", "change")

Step = Callable[[DemoTicket, int, random.Random], None]


@dataclass(frozen=True, slots=True)
class Move:
    """A step, how often it is taken against the others of its status, and after how long on average."""

    step: Step
    weight: int
    after_us: int


def take(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """An agent begins; often the owning team was wrong at first."""
    ticket.assignee = any_agent(rng, ticket.team)
    if rng.random() < 0.8:
        ticket.status = IN_PROGRESS


def move(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """Another team takes over, and nobody of it has looked yet."""
    ticket.team = rng.choice([team for team in AGENTS if team != ticket.team])
    ticket.assignee = None
    ticket.status = OPEN


def hand_over(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """A colleague goes on."""
    ticket.assignee = any_agent(rng, ticket.team, other_than=ticket.assignee)


def escalate(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """It gets urgent, and often the lead's own."""
    ticket.priority = CRITICAL if ticket.priority == HIGH else HIGH
    ticket.tags.add("escalated")
    ticket.sla_due_us = min(ticket.sla_due_us, at_us + DAY_US)
    if rng.random() < 0.5:
        ticket.team, ticket.assignee = ADMIN.teams[0], ADMIN.user


def touch(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """Somebody notes something."""
    ticket.tags.add(rng.choice(TAGS))


def hurry(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The lead has promised it sooner."""
    ticket.due_us = min(ticket.due_us, at_us + int(rng.expovariate(1 / PROMISED_US)))
    ticket.sla_due_us = min(ticket.sla_due_us, ticket.due_us)


def ask(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The customer has to answer first."""
    ticket.status = PENDING
    ticket.due_us += WAITING_ADDS_US
    ticket.sla_due_us += WAITING_ADDS_US


def answered(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The customer has answered."""
    ticket.status = IN_PROGRESS if ticket.assignee else OPEN


def resolve(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """It works again, says the desk."""
    ticket.assignee = ticket.assignee or any_agent(rng, ticket.team)
    ticket.status, ticket.closed_us = RESOLVED, at_us


def close(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """The customer agrees."""
    ticket.status = CLOSED


def cancel(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """Nobody needs it any more."""
    ticket.status, ticket.closed_us = CANCELLED, at_us


def reopen(ticket: DemoTicket, at_us: int, rng: random.Random) -> None:
    """It doesn't work after all."""
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
"""Status -> what may happen to a ticket in it."""
