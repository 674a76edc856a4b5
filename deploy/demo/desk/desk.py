"""Opens invented tickets and moves them on. Reads no clock: instants are arguments."""

import random

from deploy.demo.desk.example import CATEGORIES, CLOSED, CRITICAL, HIGH, LOW, MEDIUM, OPEN, PLANNED
from deploy.demo.desk.office_hours import DAY_US, HOUR_US, within_hours
from deploy.demo.desk.people import VIPS, any_requester
from deploy.demo.desk.steps import MOVES, Move
from deploy.demo.desk.ticket import DemoTicket

TEAM_OF = {
    "6358": "workplace",
    "7440": "applications",
    "7475": "service-desk",
    "7477": "network",
    "7478": "security",
    "7480": "applications",
}
"""Category -> the team that solves its tickets. The service desk gets more than half of them first."""

CATEGORY_WEIGHTS = (22, 29, 17, 14, 6, 12)

TIME_TO_RESOLVE_US = {
    CRITICAL: 12 * HOUR_US,
    HIGH: 4 * DAY_US,
    MEDIUM: 10 * DAY_US,
    LOW: 15 * DAY_US,
    PLANNED: 40 * DAY_US,
}
PRIORITY_WEIGHTS = (5, 17, 43, 27, 8)

PRODUCTS = tuple(f"P-{number}" for number in (108, 215, 317, 424, 502, 640, 733, 851))


class Desk:
    """The random choices of the help desk. The same seed and calls give the same tickets."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def open(self, id_: str, at_us: int, sequence: int, category: str | None = None) -> DemoTicket:
        """Returns a new ticket; `category` is that of an outage, None for a random one."""
        rng = self.rng
        [random_category] = rng.choices(tuple(CATEGORIES), CATEGORY_WEIGHTS)
        [priority] = rng.choices(tuple(TIME_TO_RESOLVE_US), PRIORITY_WEIGHTS)
        category = category or random_category
        requester = any_requester(rng)
        allowed_us = TIME_TO_RESOLVE_US[priority]
        return DemoTicket(
            id=id_,
            status=OPEN,
            priority=priority,
            category=category,
            team=TEAM_OF[category] if rng.random() < 0.45 else "service-desk",
            requester=requester,
            created_us=at_us,
            updated_us=at_us,
            due_us=within_hours(at_us + allowed_us),
            sla_due_us=within_hours(at_us + allowed_us * 3 // 4),
            sequence=sequence,
            tags={"vip"} if requester in VIPS else set(),
            product=rng.choice(PRODUCTS),
        )

    def next_move(self, ticket: DemoTicket) -> Move:
        """Returns a random next move for the ticket's status."""
        moves = MOVES[ticket.status]
        return self.rng.choices(moves, [move.weight for move in moves])[0]

    def make(self, move: Move, ticket: DemoTicket, at_us: int) -> str:
        """Applies the move to the ticket, and returns the kind of its event: `updated` or `closed`."""
        ticket.sla_breached = ticket.sla_breached or (not ticket.done and at_us > ticket.sla_due_us)
        move.step(ticket, at_us, self.rng)
        ticket.sequence += 1
        ticket.updated_us = at_us
        return "closed" if ticket.status == CLOSED else "updated"
