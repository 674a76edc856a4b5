"""Before a stream starts it is refused exactly as the count is: same codes, same order, same envelope."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from tests.web.push.streaming.streams import STREAM, STREAM_TICKET, Pushing, a_pushing_world
from tests.web.world import COUNT, FILTERS_IN_FORCE, NOW_S, QUERY


@dataclass(frozen=True)
class Bad:
    """A request with a fault, as changes of a good one."""

    status: int
    code: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = QUERY
    asked: str = "&filterIds=all"
    body: Any = None


LARGE = "x" * 1_100_000

FAULTS = {
    "no token": Bad(401, "UNAUTHORIZED", {"authorization": ""}),
    "bad token": Bad(401, "UNAUTHORIZED", {"authorization": "Bearer x.y.z"}),
    "no tenant": Bad(400, "INVALID_REQUEST", {"x-tenantid": ""}),
    "unknown realm": Bad(404, "REALM_NOT_FOUND", {"realmname": "nowhere"}),
    "unknown tenant": Bad(404, "TENANT_NOT_FOUND", {"x-tenantid": "nobody"}),
    "bad flag": Bad(400, "INVALID_REQUEST", {"issupportrequest": "maybe"}),
    "no type": Bad(400, "INVALID_REQUEST", query="module=ticketing"),
    "other module": Bad(400, "INVALID_REQUEST", query="type=template&module=chat"),
    "repeated type": Bad(400, "INVALID_REQUEST", query=f"{QUERY}&type=template"),
    "no filters": Bad(400, "INVALID_REQUEST", asked="", body={}),
    "empty filter": Bad(400, "INVALID_REQUEST", asked="&filterIds=", body={"filterIds": [""]}),
    "bad zone": Bad(
        400, "INVALID_REQUEST", asked="&filterIds=all&timezone=x", body={"filterIds": ["all"], "timezone": "x"}
    ),
    "unknown filters": Bad(422, "INVALID_FILTER_ID", asked="&filterIds=a,all,b", body={"filterIds": ["a", "all", "b"]}),
    "bad type and filter": Bad(400, "INVALID_REQUEST", query="type=x", asked="&filterIds=a", body={"filterIds": ["a"]}),
}
"""Faults that a query can have as well as a body."""

BODY_FAULTS = {
    "other content type": Bad(415, "UNSUPPORTED_MEDIA_TYPE", {"content-type": "text/plain"}),
    "large": Bad(413, "PAYLOAD_TOO_LARGE", body={"filterIds": ["all"], "more": LARGE}),
}

GOOD_BODY = {"filterIds": ["all"]}


async def refusal(pushing: Pushing, method: str, path: str, bad: Bad) -> tuple[int, dict[str, str], Any]:
    headers = {**pushing.world.headers(), "content-type": "application/json", **bad.headers}
    headers = {name: value for name, value in headers.items() if value}
    body = json.dumps(GOOD_BODY if bad.body is None else bad.body).encode() if method == "POST" else b""
    query = bad.query + (bad.asked if method == "GET" else "")
    stream = await pushing.request(method, query, headers, body, path=path)
    await stream.rest()
    return stream.status, stream.headers, json.loads(stream.body)


@pytest.mark.parametrize("name", [*FAULTS, *BODY_FAULTS])
async def test_a_stream_and_its_ticket_are_refused_as_the_count_is(pushing: Pushing, name: str) -> None:
    bad = (FAULTS | BODY_FAULTS)[name]
    pairs = [("POST", STREAM, "POST"), ("POST", STREAM_TICKET, "POST")]
    if name in FAULTS:
        pairs.append(("GET", STREAM, "GET"))
    for method, path, count_method in pairs:
        expected = await refusal(pushing, count_method, COUNT, bad)
        assert await refusal(pushing, method, path, bad) == expected
        assert (expected[0], expected[2]["error"]["code"]) == (bad.status, bad.code)
    assert pushing.is_idle()


async def test_other_methods_are_not_allowed(pushing: Pushing) -> None:
    for path, allowed in ((STREAM, "GET, POST"), (STREAM_TICKET, "POST")):
        for method in ("HEAD", "PUT", "DELETE", "OPTIONS"):
            answer = await pushing.world.client.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert (await pushing.world.client.get(STREAM_TICKET)).json()["error"]["code"] == "METHOD_NOT_ALLOWED"


async def test_roles_and_limits_are_those_of_the_count() -> None:
    async with a_pushing_world(address_requests_per_min=3) as pushing:
        user = pushing.world.token("ann", "ticket_user")
        query = "type=agent&module=ticketing&filterIds=all"
        stream = await pushing.request("GET", query, pushing.world.headers(user))
        assert await stream.error() == (403, "FORBIDDEN")
        none = await pushing.open(bearer=pushing.world.token("ann", "offline_access"))
        assert await none.error() == (403, "FORBIDDEN")
        await (await pushing.open()).next()
        limited = await pushing.open()
        assert await limited.error() == (429, "RATE_LIMITED")
        assert int(limited.headers["retry-after"]) > 0
        by_ticket = await pushing.request("GET", "ticket=x", {})
        assert await by_ticket.error() == (429, "RATE_LIMITED")


async def test_a_token_past_its_expiry_is_401_before_the_stream_starts(pushing: Pushing) -> None:
    for expires_s in (NOW_S, NOW_S - 5):
        stream = await pushing.open(bearer=pushing.world.token(exp=expires_s))
        assert await stream.error() == (401, "UNAUTHORIZED")
        assert stream.headers["www-authenticate"].startswith("Bearer")


async def test_a_tenant_that_is_loading_is_warming_after_the_ids_were_checked(pushing: Pushing) -> None:
    settings = (await pushing.world.record()).entries.settings
    await pushing.put_entries(settings=msgspec.structs.replace(settings, loading=True), filters=FILTERS_IN_FORCE)
    good, unknown = Bad(503, "COUNTS_WARMING"), FAULTS["unknown filters"]
    for method, path in (("GET", STREAM), ("POST", STREAM), ("POST", STREAM_TICKET)):
        status, headers, body = await refusal(pushing, method, path, good)
        assert (status, body["error"]["code"]) == (503, "COUNTS_WARMING")
        assert int(headers["retry-after"]) > 0
        assert (await refusal(pushing, method, path, unknown))[0] == 422


async def test_a_store_that_is_away_is_said(pushing: Pushing) -> None:
    pushing.world.store.away = True
    for method, path in (("GET", STREAM), ("POST", STREAM), ("POST", STREAM_TICKET)):
        status, headers, body = await refusal(pushing, method, path, Bad(503, ""))
        assert (status, body["error"]["code"]) == (503, "COUNTS_UNAVAILABLE")
        assert int(headers["retry-after"]) > 0
        assert "secret" not in json.dumps(body)


async def test_a_repeated_last_event_id_is_a_bad_query_after_all_that_comes_first(pushing: Pushing) -> None:
    twice = Bad(400, "INVALID_REQUEST", query=f"{QUERY}&last_event_id=a&last_event_id=b")
    status, _, body = await refusal(pushing, "GET", STREAM, twice)
    assert (status, body["error"]["details"]) == (400, {"field": "last_event_id"})
    assert (await refusal(pushing, "GET", STREAM, replace(twice, headers={"authorization": "Bearer x"})))[0] == 401
    assert (await refusal(pushing, "GET", STREAM, replace(twice, asked="&filterIds=no")))[0] == 400
