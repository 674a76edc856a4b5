"""The order of checks: a request with faults from some row on is refused for the first of them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from tests.web.world import COUNT, NOW_S, World, a_world


@dataclass
class Draft:
    """A request that is put together fault by fault."""

    world: World
    path: str = COUNT
    method: str = "POST"
    query: str = "type=template&module=ticketing"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"filterIds": ["all"]}'
    user: str = "ann"
    roles: tuple[str, ...] = ("ticket_user",)
    realm: str = "other"
    tenant: str = "globex"
    tenants: tuple[str, ...] = ("globex",)
    expires_s: int = NOW_S + 600
    exhausted: list[str] = field(default_factory=list)

    def bearer(self) -> str:
        return self.world.token(
            self.user, *self.roles, realm="other", org={"tenants": list(self.tenants)}, exp=self.expires_s
        )

    async def send(self) -> httpx.Response:
        headers = {
            "authorization": f"Bearer {self.bearer()}",
            "x-tenantid": self.tenant,
            "realmname": self.realm,
            "content-type": "application/json",
        } | self.headers
        await self._exhaust()
        sent = {name: value for name, value in headers.items() if value != "MISSING"}
        return await self.world.client.request(
            self.method, f"{self.path}?{self.query}", headers=sent, content=self.body
        )

    async def _exhaust(self) -> None:
        if "credential" in self.exhausted:
            while (await Draft(self.world).send()).status_code != 429:
                pass
        if "address" in self.exhausted:
            while (await self.world.client.get(COUNT)).status_code != 429:
                pass


def method(draft: Draft) -> None:
    draft.method = "PUT"


def address_over_its_limit(draft: Draft) -> None:
    draft.exhausted.append("address")


def no_authorization(draft: Draft) -> None:
    draft.headers["authorization"] = "MISSING"


def bad_tenant_header(draft: Draft) -> None:
    draft.headers["x-tenantid"] = "no spaces"


def unknown_realm(draft: Draft) -> None:
    draft.headers["realmname"] = "nowhere"


def bad_token(draft: Draft) -> None:
    draft.expires_s = NOW_S - 1


def unknown_tenant(draft: Draft) -> None:
    draft.headers["x-tenantid"] = "nobody"


def tenant_not_in_token(draft: Draft) -> None:
    draft.tenants = ("initech",)


def no_known_role(draft: Draft) -> None:
    draft.roles = ("offline_access",)


def credential_over_its_limit(draft: Draft) -> None:
    draft.exhausted.append("credential")


def other_content_type(draft: Draft) -> None:
    draft.headers["content-type"] = "text/plain"


def large_body(draft: Draft) -> None:
    draft.body = b" " * 1_048_577


def bad_query(draft: Draft) -> None:
    draft.query = "type=agent&module=other"


def bad_body(draft: Draft) -> None:
    draft.body = b'{"filterIds": []}' if len(draft.body) < 100 else draft.body


def perspective_not_allowed(draft: Draft) -> None:
    draft.query = draft.query.replace("type=template", "type=agent")


def unknown_filter(draft: Draft) -> None:
    if draft.body == b'{"filterIds": ["all"]}':
        draft.body = b'{"filterIds": ["no", "all", "neither"], "templateProfileFilterId": "nor"}'


Fault = Callable[[Draft], None]

ROWS: list[tuple[Fault, int, str]] = [
    (method, 405, "METHOD_NOT_ALLOWED"),
    (address_over_its_limit, 429, "RATE_LIMITED"),
    (no_authorization, 401, "UNAUTHORIZED"),
    (bad_tenant_header, 400, "INVALID_REQUEST"),
    (unknown_realm, 404, "REALM_NOT_FOUND"),
    (bad_token, 401, "UNAUTHORIZED"),
    (unknown_tenant, 404, "TENANT_NOT_FOUND"),
    (tenant_not_in_token, 403, "FORBIDDEN"),
    (no_known_role, 403, "FORBIDDEN"),
    (credential_over_its_limit, 429, "RATE_LIMITED"),
    (other_content_type, 415, "UNSUPPORTED_MEDIA_TYPE"),
    (large_body, 413, "PAYLOAD_TOO_LARGE"),
    (bad_query, 400, "INVALID_REQUEST"),
    (bad_body, 400, "INVALID_REQUEST"),
    (perspective_not_allowed, 403, "FORBIDDEN"),
    (unknown_filter, 422, "INVALID_FILTER_ID"),
]

LIMITS = {"address_requests_per_min": 20, "credential_requests_per_min": 5}


async def test_a_request_without_faults_passes() -> None:
    world = await a_world(**LIMITS)
    assert (await Draft(world).send()).status_code == 200


@pytest.mark.parametrize("first", range(len(ROWS)), ids=[row[0].__name__ for row in ROWS])
async def test_the_first_fault_in_the_contracts_order_decides(first: int) -> None:
    world = await a_world(**LIMITS)
    draft = Draft(world)
    # Later faults that would take an earlier one's place in the same header are put in first, and so overwritten.
    for fault, _, _ in reversed(ROWS[first:]):
        fault(draft)
    _, status, code = ROWS[first]
    answer = await draft.send()
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(("fault", "status", "code"), ROWS, ids=[row[0].__name__ for row in ROWS])
async def test_each_fault_alone_has_its_code_and_envelope(fault: Fault, status: int, code: str) -> None:
    world = await a_world(**LIMITS)
    draft = Draft(world)
    fault(draft)
    answer = await draft.send()
    body = answer.json()
    assert (answer.status_code, body["error"]["code"]) == (status, code)
    assert set(body) == {"success", "error", "timestamp"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["success"] is False
    assert body["timestamp"] == "2027-01-15T08:00:00.123Z"
    assert answer.headers["content-type"] == "application/json"
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert ("retry-after" in answer.headers) == (status == 429)
    assert ("allow" in answer.headers) == (status == 405)


async def test_invalid_ids_are_all_listed_in_request_order_the_profiles_last() -> None:
    world = await a_world()
    draft = Draft(world)
    unknown_filter(draft)
    assert (await draft.send()).json()["error"]["details"] == {"invalidIds": ["no", "neither", "nor"]}


@pytest.mark.parametrize("verb", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
async def test_other_methods_are_told_which_are_allowed(verb: str) -> None:
    world = await a_world()
    for path, allowed in ((COUNT, "GET, HEAD, POST"), ("/healthz", "GET, HEAD"), ("/openapi.json", "GET, HEAD")):
        answer = await world.client.request(verb, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/nothing", "/api", f"{COUNT}/", f"{COUNT}s", "/%2e%2e/etc", "/healthz/x"])
async def test_an_unknown_path_is_not_found_in_the_envelope(path: str) -> None:
    world = await a_world()
    answer = await world.client.post(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
