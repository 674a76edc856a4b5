"""How many requests an address and a credential may make."""

import httpx
import pytest

from service.web.auth.limits import CALLERS_REMEMBERED, RateLimit, caller_address
from tests.web.world import COUNT, NOW_US, QUERY, World, a_world

SECOND_US = 1_000_000


def test_a_minutes_worth_may_come_at_once_and_then_one_at_a_time() -> None:
    limit = RateLimit(60)
    assert [limit.wait_s("a", NOW_US) for _ in range(62)] == [0] * 60 + [1, 1]
    assert limit.wait_s("b", NOW_US) == 0
    assert limit.wait_s("a", NOW_US + SECOND_US - 1) == 1
    assert limit.wait_s("a", NOW_US + SECOND_US) == 0
    assert limit.wait_s("a", NOW_US + SECOND_US) == 1
    later = NOW_US + 3_600 * SECOND_US
    assert [limit.wait_s("a", later) for _ in range(61)] == [0] * 60 + [1]


def test_after_the_time_it_names_the_request_passes() -> None:
    limit = RateLimit(7)
    while not (wait_s := limit.wait_s("a", NOW_US)):
        pass
    assert wait_s == 9
    assert limit.wait_s("a", NOW_US + wait_s * SECOND_US) == 0


def test_zero_is_no_limit() -> None:
    assert not any(RateLimit(0).wait_s("a", NOW_US) for _ in range(1_000))


def test_a_clock_set_back_locks_nobody_out_for_long() -> None:
    limit = RateLimit(60)
    for _ in range(60):
        limit.wait_s("a", NOW_US)
    hour_before = NOW_US - 3_600 * SECOND_US
    assert limit.wait_s("a", hour_before) == 1
    assert [limit.wait_s("a", hour_before + seconds * SECOND_US) for seconds in range(1, 10)] == [0] * 9
    assert [limit.wait_s("a", hour_before + 70 * SECOND_US) for _ in range(61)] == [0] * 60 + [1]


def test_callers_that_come_once_take_no_more_room_for_ever() -> None:
    limit = RateLimit(60)
    for caller in range(CALLERS_REMEMBERED + 10):
        limit.wait_s(caller, NOW_US)
    assert len(limit._full_at) == CALLERS_REMEMBERED


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("/run/socket:1", "/run/socket:1"),
    ],
)
def test_an_ipv6_network_is_one_caller(address: str, caller: str) -> None:
    assert caller_address({"client": (address, 1)}) == caller


def test_without_an_address_there_is_one_caller() -> None:
    assert caller_address({"client": None}) == ""
    assert caller_address({}) == ""


def _client(world: World, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(world.app, client=(address, 1)), base_url="http://counts")


async def test_refused_requests_count_for_the_address_too_and_health_checks_do_not() -> None:
    world = await a_world(address_requests_per_min=3)
    url = f"{COUNT}?{QUERY}&filterIds=all"
    async with _client(world, "192.0.2.1") as client:
        statuses = [(await client.get(url)).status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        limited = await client.get(url, headers=world.headers())
        assert (limited.status_code, limited.headers["retry-after"]) == (429, "20")
        assert limited.json()["error"]["code"] == "RATE_LIMITED"
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.put(url)).status_code == 405
    async with _client(world, "192.0.2.2") as client:
        assert (await client.get(url, headers=world.headers())).status_code == 200
    async with _client(world, "192.0.2.1") as client:
        world.clock.now += 20 * SECOND_US
        assert (await client.get(url, headers=world.headers())).status_code == 200


async def test_a_credential_is_limited_whatever_token_or_address_it_uses() -> None:
    world = await a_world(credential_requests_per_min=2)
    assert [(await world.post(bearer=world.token(jti=str(n)))).status_code for n in range(3)] == [200, 200, 429]
    assert (await world.post(bearer=world.token("bob"))).status_code == 200
    bearer = world.token("ann", realm="other", org={"tenants": "globex"})
    answer = await world.client.get(f"{COUNT}?{QUERY}&filterIds=all", headers=world.headers(bearer, "globex", "other"))
    assert answer.status_code == 200  # the same name in another realm is somebody else
