"""Who works at the invented help desk and who asks it for help. Only names and chances."""

import random

from deploy.demo.desk.example import ADMIN, AGENT, TEAMS, USER

AGENTS_PER_TEAM = 5
REQUESTERS = 240
VIP_EVERY = 20
"""One requester in so many is a VIP."""

_LEADING_ASKERS = 6
"""The smaller, the more of all requests come from the few who ask most."""

_agents = [f"agent-{number:02}" for number in range(1, AGENTS_PER_TEAM * len(TEAMS) + 1)]
AGENTS = {
    team["id"]: (
        *_agents[at * AGENTS_PER_TEAM : (at + 1) * AGENTS_PER_TEAM],
        # Those who sign in to the demo work for their teams too, wherever the row of names put them.
        *(person.user for person in (ADMIN, AGENT) if team["id"] in person.teams),
    )
    for at, team in enumerate(TEAMS)
}
"""Team -> whom its tickets are given to."""

_requesters = (USER.user, *(f"user-{number:03}" for number in range(2, REQUESTERS + 1)))
_weights = tuple(1 / (rank + _LEADING_ASKERS) for rank in range(REQUESTERS))
VIPS = frozenset(_requesters[3::VIP_EVERY])


def any_requester(rng: random.Random) -> str:
    """Somebody with a problem; a few people have many."""
    return rng.choices(_requesters, _weights)[0]


def any_agent(rng: random.Random, team: str, other_than: str | None = None) -> str:
    """Somebody of the team."""
    return rng.choice([agent for agent in AGENTS[team] if agent != other_than])
