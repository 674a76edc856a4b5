"""The helpdesk that the benchmarks run on: seeded tenants, filters and ticket histories. Never says what counts are."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

REALM = "bench"
ISSUER = "https://id.bench.example/realms/bench"

STATUSES = ("3745", "3746", "3747", "3748", "3749", "3750")
CLOSED = frozenset(("3749", "3750"))
PRIORITIES = ("4195", "4196", "4197", "4198")
CATEGORIES = tuple(str(number) for number in range(50, 62))
PRODUCTS = tuple(f"P-{number}" for number in range(40))

TEAMS, AGENTS, REQUESTERS = 25, 40, 200
"""Of each tenant. 400 tickets a tenant: an agent has 10 of them, a requester 2, a team 16."""

STARTED = datetime(2026, 11, 1, tzinfo=UTC)

EVENT_BYTES = 530
"""The value of an average ticket event in the contract's example form; shorter ones are filled up."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything; the defaults are what `make bench` is specified to run."""

    events: int = 200_000
    tickets: int = 20_000
    tenants: int = 50
    filters: int = 30
    seed: int = 20_130_601


def tenant_ids(size: Size) -> list[str]:
    """The tenants, in order."""
    return [f"tenant-{number:03}" for number in range(size.tenants)]


def filter_ids(size: Size) -> list[str]:
    """Ids of the saved filters, the same in every tenant."""
    return [f"7{number:03}" for number in range(size.filters)]


def catalogue(size: Size, jwks: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Catalogue entries as lines for `consumers.publish`."""
    yield {"kind": "realm", "value": {"name": REALM, "issuer": ISSUER, "jwks": jwks}}
    for tenant in tenant_ids(size):
        yield {"kind": "tenant", "value": tenant_entry(tenant)}
        for number, name in enumerate(filter_ids(size)):
            where = {"all": _leaves(number)}
            value = {"id": name, "tenant": tenant, "name": f"Filter {name}", "type": "custom", "where": where}
            yield {"kind": "filter", "value": value}


def tenant_entry(tenant: str) -> dict[str, Any]:
    """The `tenant` entry."""
    return {
        "id": tenant,
        "name": tenant.title(),
        "realm": REALM,
        "statuses": [
            {"id": one, "name": f"Status {one}", "color": "#3B82F6", "closed": one in CLOSED,
             "active": one not in CLOSED, "awaiting": one == "3747"}
            for one in STATUSES
        ],
        "priorities": [
            {"id": one, "name": f"Priority {one}", "color": "#EF4444", "rank": rank}
            for rank, one in enumerate(PRIORITIES)
        ],
        "teams": [{"id": team(number), "name": team(number), "departmentId": number} for number in range(TEAMS)],
    }  # fmt: skip


def _leaves(number: int) -> list[dict[str, Any]]:
    """A flat condition; the first thirty are of ten kinds, and beyond that the values keep them distinct."""
    round_ = number // 10
    status, priority = STATUSES[round_ % len(STATUSES)], PRIORITIES[round_ % len(PRIORITIES)]
    category, product = CATEGORIES[round_ % len(CATEGORIES)], PRODUCTS[round_ % len(PRODUCTS)]
    state = {"field": "state", "op": "eq", "value": "open"}
    kinds: tuple[list[dict[str, Any]], ...] = (
        [{"field": "assignee", "op": "eq", "value": "@me"}, {"field": "status", "op": "eq", "value": status}],
        [{"field": "team", "op": "in", "value": ["@my_teams"]}, {"field": "status", "op": "ne", "value": status}],
        [{"field": "assignee", "op": "is_empty"}, {"field": "priority", "op": "eq", "value": priority}, state],
        [{"field": "priority", "op": "in", "value": ["4195", priority]}, state],
        [{"field": "category", "op": "eq", "value": category}, state],
        [{"field": "fields.product", "op": "eq", "value": product}],
        [{"field": "requester", "op": "eq", "value": "@me"}, {"field": "category", "op": "ne", "value": category}],
        [{"field": "team", "op": "eq", "value": team(round_ % TEAMS)}, {"field": "tags", "op": "is_not_empty"}],
        [{"field": "status", "op": "nin", "value": [status, "3750"]}, {"field": "dueAt", "op": "is_empty"}],
        [{"field": "category", "op": "in", "value": [category, "50", "51"]},
         {"field": "fields.product", "op": "nin", "value": [product, "P-1"]}, state],
    )  # fmt: skip
    leaves = kinds[number % 10]
    if number >= 30:
        leaves = [*leaves, {"field": "fields.channel", "op": "ne", "value": f"channel-{number}"}]
    return leaves


def team(number: int) -> str:
    """A team's id."""
    return f"/support/team-{number:02}"


def agent(number: int) -> str:
    """An agent's user id."""
    return f"agent-{number:03}"


def events(size: Size) -> Iterator[bytes]:
    """The CloudEvents in their order, as lines: every ticket is created, then changed now and then."""
    chance = random.Random(size.seed)
    tenants = tenant_ids(size)
    tickets = [_Ticket(tenants[number % len(tenants)], number, chance) for number in range(size.tickets)]
    turns = list(range(size.tickets)) + [chance.randrange(size.tickets) for _ in range(size.events - size.tickets)]
    chance.shuffle(turns)
    for number, turn in enumerate(turns):
        yield tickets[turn].next_event(number, STARTED + timedelta(seconds=number))


class _Ticket:
    """One ticket while its history is told."""

    def __init__(self, tenant: str, number: int, chance: random.Random) -> None:
        self._tenant = tenant
        self._name = f"INC{number:07}"
        self._chance = chance
        self._sequence = 0
        self._data: dict[str, Any] = {}

    def next_event(self, number: int, at: datetime) -> bytes:
        self._sequence += 1
        kind = "ticket.created" if self._sequence == 1 else self._changed()
        if self._sequence == 1:
            self._data = self._created(_text(at))
        self._data["updatedAt"] = _text(at)
        event = {
            "specversion": "1.0", "id": f"e-{number:07}", "source": "/helpdesk/eu", "type": kind,
            "subject": self._name, "time": _text(at), "tenantid": self._tenant, "sequence": str(self._sequence),
            "data": self._data,
        }  # fmt: skip
        self._data["fields"].pop("summary", None)
        missing = EVENT_BYTES - len(_encoded(event)) - len(',"summary":""')
        self._data["fields"]["summary"] = "x" * max(missing, 0)
        return _encoded(event)

    def _created(self, at: str) -> dict[str, Any]:
        pick = self._chance.choice
        return {
            "status": "3745",
            "priority": pick(PRIORITIES),
            "category": pick(CATEGORIES),
            "team": team(self._chance.randrange(TEAMS)),
            "assignee": None if self._chance.random() < 0.3 else agent(self._chance.randrange(AGENTS)),
            "requester": f"user-{self._chance.randrange(REQUESTERS):03}",
            "createdAt": at,
            "updatedAt": at,
            "dueAt": None,
            "slaDueAt": None,
            "slaBreached": False,
            "closedAt": None,
            "tags": ["vip"] if self._chance.random() < 0.2 else [],
            "fields": {"product": pick(PRODUCTS), "channel": pick(("mail", "web", "phone")), "reopenCount": 0},
        }

    def _changed(self) -> str:
        """An update as helpdesks have them: half move the status, some the person, many only a field."""
        data, dice = self._data, self._chance.random()
        if dice < 0.5:
            data["status"] = self._chance.choice(STATUSES)
        elif dice < 0.65:
            data["assignee"] = agent(self._chance.randrange(AGENTS))
        elif dice < 0.75:
            data["priority"] = self._chance.choice(PRIORITIES)
        elif dice < 0.8:
            data["team"] = team(self._chance.randrange(TEAMS))
        elif dice < 0.85:
            data["slaBreached"] = True
        else:
            data["fields"]["reopenCount"] += 1
        return "ticket.closed" if data["status"] in CLOSED else "ticket.updated"


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _encoded(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()
