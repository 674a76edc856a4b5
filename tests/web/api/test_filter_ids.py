"""Which ids a caller may name, and what the list of them says."""

import httpx
import msgspec
import pytest

from service.domain.catalogue.catalogue import Filter
from service.domain.conditions.condition import Leaf
from service.domain.tenants.record import adopted
from tests.web.world import FILTERS, World

SEEN = [
    # user, roles, teams, perspective -> saved filters seen, profiles seen
    ("ann", ("ticket_user",), (), "user", {"7471", "7472", "vip", "häß,lich"}, {"urgent", "own"}),
    ("bob", ("ticket_user",), (), "template", {"7471", "7472", "häß,lich"}, {"urgent"}),
    ("bob", ("ticket_user", "lead"), (), "template", {"7471", "7472", "häß,lich", "shared"}, {"urgent"}),
    ("bob", ("ticket_agent",), ("support",), "template", {"7471", "7472", "häß,lich", "shared"}, {"urgent"}),
    ("bob", ("ticket_agent",), (), "agent", {"7471", "7472", "häß,lich", "agents"}, {"urgent"}),
    ("zoe", ("ticket_user",), (), "template", {"7471", "7472", "häß,lich", "shared"}, {"urgent"}),
    ("bob", ("ticket_admin",), (), "template", {"7471", "7472", "vip", "häß,lich", "shared"}, {"urgent", "own"}),
]
SAVED = ("7471", "7472", "vip", "shared", "agents", "häß,lich")


async def _list(world: World, bearer: str, perspective: str = "template") -> httpx.Response:
    return await world.client.get(f"{FILTERS}?type={perspective}&module=ticketing", headers=world.headers(bearer))


@pytest.mark.parametrize(("user", "roles", "teams", "perspective", "filters", "profiles"), SEEN)
async def test_the_list_is_exactly_what_may_be_asked_for(
    world: World,
    user: str,
    roles: tuple[str, ...],
    teams: tuple[str, ...],
    perspective: str,
    filters: set[str],
    profiles: set[str],
) -> None:
    bearer = world.token(user, *roles, teams=teams)
    query = f"type={perspective}&module=ticketing"
    listed = (await _list(world, bearer, perspective)).json()["data"]
    ids = [one["id"] for one in listed["filters"]]
    assert ids[:5] == ["all", "3745", "3748", "4195", "4196"]
    assert set(ids[5:]) == filters
    assert {one["id"] for one in listed["profiles"]} == profiles
    for name in SAVED:
        answer = await world.post([name], bearer=bearer, query=query)
        assert answer.status_code == (200 if name in filters else 422), name
    for name in ("own", "urgent"):
        answer = await world.post(["all"], bearer=bearer, query=query, templateProfileFilterId=name)
        invalid = answer.json().get("error", {}).get("details", {}).get("invalidIds")
        assert invalid == (None if name in profiles else [name]), name


async def test_profiles_and_filters_are_not_each_other(world: World) -> None:
    answer = await world.post(["urgent", "all"], templateProfileFilterId="vip")
    assert answer.json()["error"]["details"]["invalidIds"] == ["urgent", "vip"]


async def test_the_list_has_the_documented_shape(world: World) -> None:
    answer = await _list(world, world.token("ann", "ticket_user"))
    assert answer.status_code == 200
    body = answer.json()
    assert body["success"] is True
    assert body["data"]["filters"][0] == {"id": "all", "name": "All Tickets", "type": "system"}
    assert [one["name"] for one in body["data"]["filters"][5:]] == ["Assigned to Me", "My Team", "Odd", "VIP Customers"]
    assert body["data"]["profiles"] == [{"id": "own", "name": "Ann's"}, {"id": "urgent", "name": "Urgent"}]


async def test_the_list_makes_the_same_checks(world: World) -> None:
    assert (await _list(world, world.token("ann", "ticket_user"), "agent")).status_code == 403
    assert (await _list(world, world.token("ann", "nobody"))).status_code == 403
    assert (await _list(world, "x")).status_code == 401
    assert (await _list(world, world.token(), "other")).status_code == 400
    assert (await world.client.post(FILTERS)).status_code == 405
    headers = world.headers() | {"issupportrequest": "1"}
    assert (await world.client.get(f"{FILTERS}?type=user&module=ticketing", headers=headers)).status_code == 400


async def test_what_is_still_being_filled_is_warming_after_the_ids_were_checked(world: World) -> None:
    record = await world.record()
    fresh = Filter("fresh", "Fresh", "custom", Leaf("category", "eq", "55"))
    entries = msgspec.structs.replace(record.entries, filters={**record.entries.filters, "fresh": fresh})
    await world.put_tenant(adopted(record, entries, 40))
    answer = await world.post(["fresh", "all"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "COUNTS_WARMING")
    assert int(answer.headers["retry-after"]) > 0
    assert (await world.post(["fresh", "nope"])).json()["error"]["details"]["invalidIds"] == ["nope"]
    assert (await world.post(["all"])).status_code == 200
    assert "fresh" in [one["id"] for one in (await _list(world, world.token())).json()["data"]["filters"]]


async def test_a_loading_tenant_is_warming_after_the_ids_were_checked(world: World) -> None:
    record = await world.record()
    settings = msgspec.structs.replace(record.entries.settings, loading=True)
    entries = msgspec.structs.replace(record.entries, settings=settings)
    await world.put_tenant(msgspec.structs.replace(record, entries=entries))
    assert (await world.post(["nope"])).status_code == 422
    assert (await world.post(["all"])).json()["error"]["code"] == "COUNTS_WARMING"
