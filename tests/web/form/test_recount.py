"""Every count of the form API, for random tenants, histories and callers, is what an independent recount says."""

import random
from collections.abc import Mapping
from typing import Any

import pytest

from tests.oracle.generated.worlds import Shape, seeded_world
from tests.oracle.panel import department_ids, support_departments, support_statuses, ticket_counts
from tests.web.form.panel import Panel, a_panel, credential

TITLES = ("Open", "open!", "On Hold", "On-Hold", 'Answered <&">', "3. 待機", "")


def as_a_panel(item: Mapping[str, Any], chance: random.Random) -> Mapping[str, Any]:
    """A tenant with titles that may meet, departments that teams may share or lack, and flags at random."""
    if item["kind"] != "tenant":
        return item
    entry = item["value"]
    statuses = [
        one | {"name": chance.choice(TITLES), "active": chance.random() < 0.6, "awaiting": chance.random() < 0.5}
        for one in entry["statuses"]
    ]
    if chance.random() < 0.3:
        statuses.insert(chance.randint(0, len(statuses)), {"id": "all", "name": "All", "active": True})
    teams = [one | {"departmentId": chance.choice([None, -4, 0, 7])} for one in entry["teams"]]
    return {"kind": "tenant", "value": entry | {"statuses": statuses, "teams": teams}}


@pytest.mark.parametrize("seed", range(24))
async def test_random_panels_are_counted_as_the_recount_counts_them(seed: int) -> None:
    chance = random.Random(seed)
    world = seeded_world(seed, Shape(tickets=12, filters=2))
    catalogue = [as_a_panel(item, chance) for item in world.catalogue]
    tenants = [item["value"] for item in catalogue if item["kind"] == "tenant"]
    callers = []
    for number, entry in enumerate(tenants):
        pool = [team["id"] for team in entry["teams"]]
        teams = chance.sample(pool, chance.randint(0, len(pool))) + ["no such team"] * (chance.random() < 0.3)
        admin = chance.choice(sorted({ask.viewer.user for ask in world.requests if ask.tenant == entry["id"]}))
        callers.append((f"c{number}", entry["id"], teams, admin))
    credentials = [
        credential(name, tenant=tenant, teams=teams, admin_id=admin) for name, tenant, teams, admin in callers
    ]
    panel = await a_panel([*catalogue, *credentials], world.log, address_requests_per_min=0)
    for name, tenant, teams, admin in callers:
        await check(panel, name, tenant, teams, admin)


async def check(panel: Panel, name: str, tenant: str, teams: list[str], admin: str) -> None:
    oracle = panel.oracle
    who = {"identifier": name, "secret": f"s-{name}"}
    for ignoring in (False, True):
        asked = {"ignoreDepartmentAssignments": str(ignoring), "includeCountsByStatus": "yes"}
        answer = (await panel.call(**who, **asked)).json()
        assert answer == ticket_counts(oracle, tenant, teams, admin, ignoring=ignoring, by_status=True)
        found = await panel.call("GetSupportDepartments", **who, ignore_dept_assignments=str(ignoring))
        assert found.json() == support_departments(oracle, tenant, teams, ignoring=ignoring)
    for department in (None, 99, *department_ids(oracle.catalogue.tenants[tenant])):
        asked = {} if department is None else {"deptid": str(department)}
        found = await panel.call("GetSupportStatuses", **who, **asked)
        assert found.json() == support_statuses(oracle, tenant, department)
