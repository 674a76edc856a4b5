"""Pages of other origins: those that are named exactly may ask, with credentials; all others may not."""

from collections.abc import Mapping

import pytest

from service.config.environment import SettingsError
from service.config.settings import parse
from tests.web.world import COUNT, QUERY, World, a_world

DESK = "https://desk.example"
STREAM = f"{COUNT}/stream"
ASKING = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-tenantid"}


@pytest.fixture
async def open_world() -> World:
    return await a_world(cors_origins=f"{DESK}, http://localhost:3000")


def cors(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("path", [COUNT, STREAM, f"{COUNT}/stream-ticket", f"{COUNT}/preview"])
@pytest.mark.parametrize("origin", [DESK, "http://localhost:3000"])
async def test_a_preflight_of_a_named_origin_is_answered(open_world: World, path: str, origin: str) -> None:
    async with open_world.client as client:
        answer = await client.options(path, headers={"origin": origin, **ASKING})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in ("authorization", "x-tenantid", "realmname", "last-event-id"))
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "origin", ["https://desk.example.evil", "http://desk.example", "https://desk.example:8443", "null", "https://x.desk.example"]
)  # fmt: skip
async def test_no_other_origin_is_let_in(open_world: World, origin: str) -> None:
    async with open_world.client as client:
        preflight = await client.options(COUNT, headers={"origin": origin, **ASKING})
        answer = await client.get(f"{COUNT}?{QUERY}&filterIds=all", headers=open_world.headers() | {"origin": origin})
    assert preflight.status_code == 400
    assert "access-control-allow-origin" not in preflight.headers
    assert answer.status_code == 200, "who is no browser may say what it likes"
    assert "access-control-allow-origin" not in answer.headers


async def test_answers_and_refusals_can_be_read_by_the_page(open_world: World) -> None:
    async with open_world.client as client:
        for headers, status in ((open_world.headers(), 200), ({}, 401)):
            answer = await client.get(f"{COUNT}?{QUERY}&filterIds=all", headers={**headers, "origin": DESK})
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == DESK
            assert "x-counts-version" in answer.headers["access-control-expose-headers"]


async def test_without_the_setting_nothing_is_allowed(world: World) -> None:
    preflight = await world.client.options(COUNT, headers={"origin": DESK, **ASKING})
    assert (preflight.status_code, cors(preflight.headers)) == (405, {})
    assert cors((await world.client.get("/healthz", headers={"origin": DESK})).headers) == {}


@pytest.mark.parametrize(
    "wrong",
    ["*", "desk.example", "https://*.example", "https://desk.example/", "ftp://x", "https://Desk.example",
     "https://desk.example:443", "null", "https://user@desk.example", "https://desk.example:port", f"{DESK} {DESK}"],
)  # fmt: skip
def test_what_no_browser_sends_is_a_wrong_setting(wrong: str) -> None:
    with pytest.raises(SettingsError, match="TICKET_COUNTS_CORS_ORIGINS"):
        parse(["service"], {"TICKET_COUNTS_CORS_ORIGINS": wrong})
