"""A store that came back empty: it can't tell what there is, so nothing is called unknown until it had everything."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from service.config.settings import ServiceSettings
from service.domain.catalogue.catalogue import Realm
from service.domain.tenants.record import new_record
from service.domain.tenants.tenant_entries import Entries
from tests.web.world import COUNT, FILTERS, NOW_US, QUERY, REALM, TENANT, SetClock, World, tenant_settings

REQUESTS: Mapping[str, tuple[str, str, Any]] = {
    "count": ("POST", f"{COUNT}?{QUERY}", {"filterIds": ["all"]}),
    "count by GET": ("GET", f"{COUNT}?{QUERY}&filterIds=all", None),
    "preview": ("POST", f"{COUNT}/preview?{QUERY}", {"where": {"all": []}}),
    "filters": ("GET", f"{FILTERS}?{QUERY}", None),
    "stream": ("GET", f"{COUNT}/stream?{QUERY}&filterIds=all", None),
    "stream by POST": ("POST", f"{COUNT}/stream?{QUERY}", {"filterIds": ["all"]}),
    "stream ticket": ("POST", f"{COUNT}/stream-ticket?{QUERY}", {"filterIds": ["all"]}),
    "stream by a ticket": ("GET", f"{COUNT}/stream?ticket=lost", None),
}


@pytest.fixture
async def empty() -> AsyncIterator[World]:
    """A world whose store has nothing, and never had."""
    made = World(ServiceSettings(), SetClock(NOW_US))
    async with made.client:
        yield made


async def asked(world: World, method: str, path: str, body: Any) -> httpx.Response:
    return await world.client.request(method, path, json=body, headers=world.headers())


async def put_catalogue(world: World) -> None:
    await world.put_realm()
    await world.put_tenant(new_record(Entries(tenant_settings(TENANT, REALM)), 3))


def is_warming(answer: httpx.Response) -> bool:
    refused = answer.status_code == 503 and answer.json()["error"]["code"] == "COUNTS_WARMING"
    return refused and int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("name", REQUESTS)
async def test_everything_that_needs_the_catalogue_waits_for_it(empty: World, name: str) -> None:
    assert is_warming(await asked(empty, *REQUESTS[name]))
    assert (await empty.client.get("/readyz")).json()["catalogue"] is False
    await empty.put_realm()
    if name != "stream by a ticket":
        assert is_warming(await asked(empty, *REQUESTS[name])), "the realm has come, the tenant not yet"


async def test_it_is_answered_as_soon_as_it_is_there_whole_or_not(empty: World) -> None:
    await put_catalogue(empty)
    assert (await asked(empty, *REQUESTS["count"])).status_code == 200


async def test_what_is_not_there_once_everything_is_is_unknown(empty: World) -> None:
    await empty.store.set_validated_offset(0)
    answer = await asked(empty, *REQUESTS["count"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "REALM_NOT_FOUND")
    await empty.put_realm()
    assert is_warming(await asked(empty, *REQUESTS["count"])), "tenants are on other servers of a cluster"
    await empty.store.set_tenants_read()
    answer = await asked(empty, *REQUESTS["count"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "TENANT_NOT_FOUND")
    answer = await asked(empty, *REQUESTS["stream by a ticket"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")


async def test_what_comes_while_it_is_looked_for_is_found(empty: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    realm_in_store, tenant_in_store = empty.store.realm, empty.store.tenant

    async def realm(name: str) -> Realm | None:
        found = await realm_in_store(name)
        if found is None:
            looked.append("realm")
            await empty.put_realm()
            await empty.store.set_validated_offset(0)
        return found

    async def tenant(name: str) -> Any:
        found = await tenant_in_store(name)
        if found is None and "tenant" not in looked:
            looked.append("tenant")
            await put_catalogue(empty)
            await empty.store.set_tenants_read()
        return found

    monkeypatch.setattr(empty.store, "realm", realm)
    monkeypatch.setattr(empty.store, "tenant", tenant)
    assert (await asked(empty, *REQUESTS["count"])).status_code == 200
    assert looked == ["realm", "tenant"]
