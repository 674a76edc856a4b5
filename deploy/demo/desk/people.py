"""The agents and requesters of the invented help desk, and their random choice. Only names and chances."""

import random

from deploy.demo.desk.example import ADMIN, AGENT, TEAMS, USER

AGENTS_PER_TEAM = 5
REQUESTERS = 240
VIP_EVERY = 20
"""Every 20th requester is a VIP."""

_FLATNESS = 6
"""Requester r (from 0) has the weight 1 / (r + 6). A smaller number would favour the first requesters more."""

_agents = [f"agent-{number:02}" for number in range(1, AGENTS_PER_TEAM * len(TEAMS) + 1)]
AGENTS = {
    team["id"]: (
        *_agents[at * AGENTS_PER_TEAM : (at + 1) * AGENTS_PER_TEAM],
        # The people who sign in to the demo are in their own teams, whatever team the numbering gave them.
        *(person.user for person in (ADMIN, AGENT) if team["id"] in person.teams),
    )
    for at, team in enumerate(TEAMS)
}
"""Team -> its agents."""

_requesters = (USER.user, *(f"user-{number:03}" for number in range(2, REQUESTERS + 1)))
_weights = tuple(1 / (rank + _FLATNESS) for rank in range(REQUESTERS))
VIPS = frozenset(_requesters[3::VIP_EVERY])


def any_requester(rng: random.Random) -> str:
    """Returns a random requester; the first ones are chosen most often."""
    return rng.choices(_requesters, _weights)[0]


def any_agent(rng: random.Random, team: str, other_than: str | None = None) -> str:
    """Returns a random agent of the team, but not `other_than`."""
    return rng.choice([agent for agent in AGENTS[team] if agent != other_than])
