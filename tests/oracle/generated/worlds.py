"""Small random worlds: tenants, filters, ticket histories and requests of viewers. Never computes counts.

`seeded_world(7, Shape(language="full"))` is the same world on every machine. `@given(worlds(Shape(bad=True)))` draws
worlds of that shape and shrinks them; it needs `deadline=None` and a suppressed `HealthCheck.too_slow`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.oracle.generated.bad_records import bad_record
from tests.oracle.generated.choices import Choices, SeededChoices
from tests.oracle.generated.random_conditions import condition
from tests.oracle.generated.random_histories import History, interleaved
from tests.oracle.generated.random_tickets import TEAMS, USERS, ZONES, Pools, Shape
from tests.oracle.published.catalogue import PERSPECTIVES, Viewer
from tests.oracle.recount import ROLES, LogItem, Recount

__all__ = ["REALM", "Ask", "Shape", "World", "seeded_world", "world", "worlds"]

REALM = "worlds"
TENANTS = ("acme", "ACME", "0")
OPEN, CLOSED, PRIORITIES = ("3745", "3747", "{s}"), ("3748", "3750"), ("4195", "4196", "p/1")
UNKNOWN_STATUS, UNKNOWN_PRIORITY, UNKNOWN_TEAM = "9999", "8888", "nobody's team"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for the counts of all ids that this viewer may request."""

    tenant: str
    viewer: Viewer
    perspective: str
    filter_ids: tuple[str, ...]
    profile_id: str | None
    timezone: str


@dataclass(frozen=True, slots=True)
class World:
    """Catalogue records (without the realm and its keys), the log in order, the requests, and the instant of now."""

    shape: Shape
    catalogue: tuple[Mapping[str, Any], ...]
    log: tuple[LogItem, ...]
    requests: tuple[Ask, ...]
    now_us: int


class DrawnChoices(Choices):
    """Takes the decisions from a property test."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))


@st.composite
def worlds(draw: st.DrawFn, shape: Shape | None = None) -> World:
    """Draws worlds of that shape. A failing one shrinks to the fewest tenants, tickets, events and filters."""
    return world(DrawnChoices(draw), shape or Shape())


def seeded_world(seed: int, shape: Shape | None = None) -> World:
    """Returns the world of that seed."""
    return world(SeededChoices(seed), shape or Shape())


def world(choices: Choices, shape: Shape) -> World:
    catalogue: list[Mapping[str, Any]] = []
    histories: list[list[LogItem]] = []
    requests: list[Ask] = []
    for tenant in TENANTS[: choices.integer(1, min(shape.tenants, len(TENANTS)))]:
        entry = tenant_entry(choices, tenant)
        pools = pools_of(choices, entry)
        entries = [{"kind": "tenant", "value": entry}, *saved(choices, shape, tenant, pools)]
        catalogue += entries
        histories += tenant_histories(choices, shape, tenant, pools)
        requests += tenant_asks(choices, tenant, pools, entries)
    return World(shape, tuple(catalogue), tuple(interleaved(choices, histories)), tuple(requests), shape.now_us)


def tenant_entry(choices: Choices, tenant: str) -> dict[str, Any]:
    """Returns a tenant with statuses and priorities in any order, so that ranks differ from the order of ids."""
    closed = dict.fromkeys(choices.some(OPEN, 1, 3), False) | dict.fromkeys(choices.some(CLOSED, 1, 2), True)
    ranks = choices.shuffled((0, 5, 10))
    return {
        "id": tenant,
        "name": f"Tenant {tenant}",
        "realm": REALM,
        "statuses": [
            {"id": one, "name": f"S {one}", "color": "#6B7280", "closed": closed[one], "active": not closed[one],
             "awaiting": False}
            for one in choices.shuffled(list(closed))
        ],
        "priorities": [
            {"id": one, "name": f"P {one}", "color": "#EAB308", "rank": ranks.pop()}
            for one in choices.some(PRIORITIES, 0, 3)
        ],
        "teams": [
            {"id": one, "name": one, "departmentId": index} for index, one in enumerate(choices.some(TEAMS, 0, 3), 1)
        ],
    }  # fmt: skip


def pools_of(choices: Choices, entry: Mapping[str, Any]) -> Pools:
    """Returns the tenant's ids, and one unknown id of each kind. Open statuses come first."""
    statuses = sorted(entry["statuses"], key=lambda status: bool(status["closed"]))
    return Pools(
        (*(one["id"] for one in statuses), UNKNOWN_STATUS),
        (*(one["id"] for one in entry["priorities"]), UNKNOWN_PRIORITY),
        (*(one["id"] for one in entry["teams"]), UNKNOWN_TEAM),
        tuple(choices.some(USERS, 2, 3)),
    )


def saved(choices: Choices, shape: Shape, tenant: str, pools: Pools) -> list[dict[str, Any]]:
    """Returns filters and profiles: some owned, shared, limited to a perspective, and, by shape, edited or removed."""
    entries: list[dict[str, Any]] = [
        {"kind": "filter", "value": filter_entry(choices, shape, tenant, pools, f"7{index}/f")}
        for index in range(choices.integer(shape.least_filters, shape.filters))
    ]
    if shape.shadows and entries:
        shadowed = choices.pick(("all", pools.statuses[0], pools.priorities[0]))
        entries.append({"kind": "filter", "value": filter_entry(choices, shape, tenant, pools, shadowed)})
    if shape.edits and entries:
        edited = choices.pick(entries)["value"]["id"]
        entries.append({"kind": "filter", "value": filter_entry(choices, shape, tenant, pools, edited)})
        if choices.chance(50):
            entries.append({"kind": "filter", "tenant": tenant, "id": edited, "value": None})
    for index in range(choices.integer(0, 2)):
        profile = filter_entry(choices, shape, tenant, pools, f"profile {index}")
        entries.append({"kind": "profile", "value": without(profile, "type", "perspectives")})
    return entries


def filter_entry(choices: Choices, shape: Shape, tenant: str, pools: Pools, id_: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": id_, "tenant": tenant, "name": f"Filter {id_}", "type": "custom"}
    entry["where"] = condition(choices, shape, pools)
    if choices.chance(25):
        entry["perspectives"] = choices.some(PERSPECTIVES, 1, 3)
    if choices.chance(30):
        entry["owner"] = choices.pick(pools.users)
        if choices.chance(60):
            roles, teams = choices.some((*ROLES, "auditor"), 0, 2), choices.some(pools.teams, 0, 1)
            entry["sharedWith"] = {"roles": roles, "teams": teams}
    return entry


def without(entry: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}


def tenant_histories(choices: Choices, shape: Shape, tenant: str, pools: Pools) -> list[list[LogItem]]:
    histories = []
    for index in range(choices.integer(0, shape.tickets)):
        ticket = choices.pick(("INC{0}", "/t/{0}", "a|b {0}", "{{t}}:{0}", "Ünï {0}")).format(index)
        histories.append(History(choices, shape, pools, tenant, ticket).records())
        if shape.bad and choices.chance(60):
            # A history of its own, so that the record lands anywhere in the log.
            histories.append([bad_record(choices, tenant, ticket)])
    return histories


def tenant_asks(choices: Choices, tenant: str, pools: Pools, entries: Sequence[Mapping[str, Any]]) -> list[Ask]:
    """Returns requests of every role in every perspective that it may use, with some teams and with none."""
    catalogue = Recount(entries).catalogue
    requests = []
    for role in ROLES:
        for perspective in PERSPECTIVES:
            for least, most in ((0, 0), (1, 3)):
                if role == "ticket_user" and perspective == "agent":
                    continue
                roles = {role, *choices.some(("ticket_user", "auditor"), 0, 1)}
                teams = frozenset(choices.some(pools.teams, least, most))
                viewer = Viewer(frozenset(roles), choices.pick(pools.users), teams)
                ids = tuple(catalogue.filter_ids(tenant, viewer, perspective))
                profile = choices.pick((None, *catalogue.profile_ids(tenant, viewer)))
                requests.append(Ask(tenant, viewer, perspective, ids, profile, choices.pick(ZONES)))
    return requests
