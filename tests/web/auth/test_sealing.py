"""Tenants are sealed: role × token realm × realm header × tenant header × endpoint, the whole product."""

from itertools import product

import httpx

from tests.web.world import COUNT, FILTERS, QUERY, World

ROLES = ("ticket_user", "ticket_agent", "ticket_admin", "realm-admin")
REALMS = ("helpdesk", "other", "nowhere")
TENANTS = ("acme", "globex", "initech", "nobody", "Acme")
ENDPOINTS = ("POST count", "GET count", "GET filters")

REALM_OF = {"acme": "helpdesk", "globex": "other", "initech": "other"}


def expected(role: str, token_realm: str, realm: str, tenant: str) -> tuple[int, str]:
    """What the contract says. The tokens of realm `other` are good for globex only."""
    if realm == "nowhere":
        return 404, "REALM_NOT_FOUND"
    if token_realm != realm:
        return 401, "UNAUTHORIZED"
    if REALM_OF.get(tenant) != realm:
        return 404, "TENANT_NOT_FOUND"
    if realm == "other" and tenant != "globex":
        return 403, "FORBIDDEN"
    return (403, "FORBIDDEN") if role == "realm-admin" else (200, "")


async def ask(world: World, endpoint: str, headers: dict[str, str]) -> httpx.Response:
    if endpoint == "POST count":
        return await world.client.post(f"{COUNT}?{QUERY}", headers=headers, json={"filterIds": ["all"]})
    if endpoint == "GET count":
        return await world.client.get(f"{COUNT}?{QUERY}&filterIds=all", headers=headers)
    return await world.client.get(f"{FILTERS}?{QUERY}", headers=headers)


async def test_the_whole_product(world: World) -> None:
    answered = 0
    for role, token_realm, realm, tenant, endpoint in product(ROLES, REALMS, REALMS, TENANTS, ENDPOINTS):
        bearer = world.token("ann", role, realm=token_realm, org={"tenants": ["globex"]})
        answer = await ask(world, endpoint, world.headers(bearer, tenant, realm))
        status, code = expected(role, token_realm, realm, tenant)
        where = (role, token_realm, realm, tenant, endpoint)
        assert answer.status_code == status, where
        assert answer.json().get("error", {}).get("code", "") == code, where
        answered += status == 200
    assert answered == 2 * 3 * 3  # two tenants, three roles, three endpoints: the product isn't all refusals


async def test_a_tenant_of_another_realm_looks_like_none(world: World) -> None:
    headers = world.headers(world.token())
    bodies = []
    for tenant in ("globex", "nobody"):
        answer = await ask(world, "POST count", headers | {"x-tenantid": tenant})
        bodies.append((answer.status_code, answer.json(), dict(answer.headers)))
    assert bodies[0] == bodies[1]


async def test_the_tenants_claim_may_be_one_text_and_must_be_texts(world: World) -> None:
    for claim, status in (("globex", 200), (["x", "globex"], 200), ([], 403), ("glob", 403), (5, 401), ([5], 401)):
        bearer = world.token(realm="other", org={"tenants": claim})
        assert (await ask(world, "POST count", world.headers(bearer, "globex", "other"))).status_code == status, claim
    bearer = world.token(realm="other")
    assert (await ask(world, "POST count", world.headers(bearer, "globex", "other"))).status_code == 403


async def test_a_tenant_that_moves_to_another_realm_is_gone_from_the_old_one_at_once(world: World) -> None:
    record = await world.record()
    assert (await world.post()).status_code == 200
    settings = record.entries.settings
    moved = type(settings)(settings.id, settings.name, "other", settings.statuses, settings.priorities)
    await world.put_tenant(type(record)(20, type(record.entries)(moved), record.numbers))
    assert (await world.post()).json()["error"]["code"] == "TENANT_NOT_FOUND"
    bearer = world.token(realm="other", org={"tenants": ["acme"]})
    assert (await ask(world, "POST count", world.headers(bearer, "acme", "other"))).status_code == 200
    assert (await world.post()).json()["error"]["code"] == "TENANT_NOT_FOUND"


async def test_a_removed_tenant_is_gone_at_once_and_a_new_one_is_there_at_once(world: World) -> None:
    stored = await world.store.tenant("acme")
    assert stored is not None
    assert (await world.post()).status_code == 200
    assert await world.store.drop_tenant("acme", stored.record_version)
    assert (await world.post()).json()["error"]["code"] == "TENANT_NOT_FOUND"
    await world.put_tenant(stored.record)
    assert (await world.post()).json()["data"]["counts"] == {"all": 0}
