"""A bad token is 401 whatever is wrong with it; a good one says who asks."""

import json
from typing import Any

import jwt
import pytest

from service.domain.catalogue.catalogue import ClaimPaths
from service.domain.tickets.ticket import Ticket
from tests.web.auth.keys import b64, key_for, public_jwk, token
from tests.web.world import NOW_S, NOW_US, TENANT, World


async def _status(world: World, bearer: str) -> int:
    answer = await world.post(bearer=bearer)
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert answer.json()["error"] == {"code": "UNAUTHORIZED", "message": "Authentication failed", "details": {}}
    return answer.status_code


CLAIMS: list[tuple[dict[str, Any], int]] = [
    ({}, 200),
    ({"exp": NOW_S + 1}, 200),
    ({"exp": NOW_S + 0.5}, 200),
    ({"exp": NOW_S}, 401),
    ({"exp": NOW_S + 0.1}, 401),
    ({"exp": None}, 401),
    ({"exp": "9999999999"}, 401),
    ({"exp": True}, 401),
    ({"exp": [NOW_S + 9]}, 401),
    ({"exp": 10**400}, 200),
    ({"nbf": NOW_S - 1, "iat": NOW_S - 1}, 200),
    ({"nbf": NOW_S + 9}, 200),
    ({"nbf": NOW_S + 12}, 401),
    ({"iat": NOW_S + 12}, 401),
    ({"iat": "now"}, 401),
    ({"iss": "https://id.example/other"}, 401),
    ({"iss": "https://id.example/helpdesk/"}, 401),
    ({"iss": None}, 401),
    ({"iss": ["https://id.example/helpdesk"]}, 401),
    ({"aud": "anything"}, 200),
    ({"sub": None}, 401),
    ({"sub": ""}, 401),
    ({"sub": 7}, 200),
    ({"sub": 7.5}, 401),
    ({"sub": True}, 401),
    ({"sub": 10**128}, 401),
    ({"sub": ["ann"]}, 401),
    ({"sub": "a\nb"}, 401),
    ({"sub": "a\x85b"}, 401),
    ({"sub": "\ud800"}, 401),
    ({"sub": "x" * 128}, 200),
    ({"sub": "x" * 129}, 401),
    ({"sub": "auth0|1"}, 200),
    ({"realm_access": None}, 403),
    ({"realm_access": {}}, 403),
    ({"realm_access": []}, 403),
    ({"realm_access": ["ticket_admin"]}, 401),
    ({"realm_access": {"roles": []}}, 403),
    ({"realm_access": {"roles": "ticket_admin"}}, 200),
    ({"realm_access": {"roles": "ticket_admin ticket_user"}}, 403),
    ({"realm_access": {"roles": ["Ticket_Admin"]}}, 403),
    ({"realm_access": {"roles": ["ticket_admin", 5]}}, 200),
    ({"realm_access": {"roles": 5}}, 403),
    ({"realm_access": {"roles": ["ticket_admin", 5.5]}}, 401),
    ({"realm_access": {"roles": ["ticket_admin", None]}}, 401),
    ({"realm_access": {"roles": {"ticket_admin": True}}}, 401),
    ({"realm_access": "ticket_admin"}, 401),
    ({"teams": None}, 200),
    ({"teams": "network"}, 200),
    ({"teams": 5}, 200),
    ({"teams": False}, 401),
    ({"teams": [["network"]]}, 401),
    ({"teams": ["", "\ud800", "x" * 500]}, 200),
    ({"typ": "Bearer"}, 200),
    ({"typ": "ID"}, 401),
    ({"typ": "Refresh"}, 401),
    ({"at_hash": "abc"}, 401),
    ({"nonce": "n-0S6_WzA2Mj"}, 401),
    ({"nonce": ""}, 401),
    ({"token_use": "id"}, 401),
    ({"token_use": "ID"}, 401),
    ({"token_use": "refresh"}, 401),
    ({"token_use": "access"}, 200),
    ({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, 401),
    ({"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}, 401),
    ({"cnf": {}}, 401),
    ({"cnf": "x"}, 401),
    ({"cnf": []}, 200),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "status"), CLAIMS, ids=[json.dumps(c)[:60] for c, _ in CLAIMS])
async def test_claims_decide(world: World, changes: dict[str, Any], status: int) -> None:
    # Half a second before the next, so that a leeway of any size would be seen.
    world.clock.now = NOW_S * 1_000_000 + 200_000
    claims = {name: value for name, value in (world.claims() | changes).items() if value is not None}
    assert await _status(world, token(key_for("ES256"), "ES256", claims)) == status


@pytest.mark.parametrize("missing", ["exp", "iss", "sub"])
async def test_a_required_claim_may_not_be_missing(world: World, missing: str) -> None:
    claims = world.claims()
    del claims[missing]
    assert await _status(world, token(key_for("ES256"), "ES256", claims)) == 401


HEADERS: list[tuple[dict[str, Any], int]] = [
    ({"kid": "k1"}, 200),
    ({"kid": "k2"}, 401),
    ({"kid": "nope"}, 401),
    ({"kid": None}, 200),  # two keys fit, and one of them signed it
    ({"kid": ""}, 401),
    ({"kid": 5}, 401),
    ({"kid": ["k1"]}, 401),
    ({"typ": None}, 200),
    ({"typ": "at+jwt"}, 200),
    ({"typ": "dpop+jwt"}, 401),
    ({"alg": "none"}, 401),
    ({"alg": "HS256"}, 401),
    ({"alg": "ES384"}, 401),
    ({"alg": None}, 401),
    ({"alg": ["ES256"]}, 401),
    ({"crit": ["b64"], "b64": False}, 401),
    ({"crit": ["x"], "x": 1}, 401),
    ({"b64": False}, 401),
    ({"jku": "https://evil.example/keys", "x5u": "https://evil.example/x"}, 200),
    ({"zip": "DEF"}, 200),
]


@pytest.mark.parametrize(("changes", "status"), HEADERS, ids=[str(c)[:60] for c, _ in HEADERS])
async def test_the_tokens_header_decides(world: World, changes: dict[str, Any], status: int) -> None:
    assert await _status(world, token(key_for("ES256"), "ES256", world.claims(), **changes)) == status


async def test_a_key_that_came_in_the_token_is_not_followed(world: World) -> None:
    own = key_for("ES256", "attacker")
    forged = token(own, "ES256", world.claims(), jwk=public_jwk(own), jku="https://evil.example/jwks")
    assert await _status(world, forged) == 401


async def test_garbage_is_refused_and_nothing_more(world: World) -> None:
    good = world.token()
    head, payload, signature = good.split(".")
    deep = b64(b'{"alg":"ES256","kid":"k1","x":' + b"[" * 5_000 + b"]" * 5_000 + b"}")
    for bad in (
        "x", "a.b", "..", "a.b.c.d", f"{head}.{payload}.", f"{head}.{payload}", f"{head}..{signature}",
        f"{head}.{payload}.{signature}x", f"{head}.{payload}A.{signature}", f"{payload}.{head}.{signature}",
        f"{deep}.{payload}.{signature}", f"{b64(b'[]')}.{payload}.{signature}", f"{b64(b'null')}.{payload}.x",
        good + "=", good[:-4], "A" * 16_000, "A" * 49_152,
        token(key_for("ES256"), "ES256", b"[]"), token(key_for("ES256"), "ES256", b"not json"),
        token(key_for("ES256"), "ES256", b"\xff"), token(key_for("ES256"), "ES256", b"[" * 4_000),
        token(key_for("ES256"), "ES256", b'{"exp": ' + b"9" * 5_000 + b"}"),
    ):  # fmt: skip
        assert await _status(world, bad) == 401, bad[:80]


@pytest.mark.parametrize(
    "sent",
    [b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"Bearer a b", b"Bearer \xc3\xa9.x.y", b"Bearer a,b", b"Bearerx"],
)
async def test_an_authorization_that_is_no_bearer_token_is_401(world: World, sent: bytes) -> None:
    headers = [(name.encode(), value.encode()) for name, value in world.headers().items() if name != "authorization"]
    url = "/api/v2/ticketing/ticket/count"
    answer = await world.client.post(url, headers=[*headers, (b"authorization", sent)])
    assert answer.status_code == 401
    without = await world.client.post(url, headers=headers)
    assert (without.status_code, without.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_token_may_have_48_kib_and_beyond_them_the_head_is_too_large(world: World) -> None:
    bare = len(world.token(pad=""))
    longest = world.token(pad="x" * ((49_152 - bare) * 3 // 4))
    assert 49_150 <= len(longest) <= 49_152
    assert (await world.post(bearer=longest)).status_code == 200
    answer = await world.post(bearer=longest + "x" * (49_153 - len(longest)))
    assert (answer.status_code, answer.json()["error"]["code"]) == (431, "INVALID_REQUEST")
    assert "www-authenticate" not in answer.headers


async def test_a_token_of_500_teams_counts_them_all(world: World) -> None:
    teams = tuple(f"7a1c0f2e-55aa-4c1b-9d1e-{number:012}" for number in range(500))
    bearer = world.token("zoe", "ticket_agent", teams=("network", "support", *teams))
    assert len(bearer) > 26_000
    answer = await world.post(["all", "7472"], bearer=bearer)
    assert answer.json()["data"]["counts"] == {"all": 4, "7472": 4}


async def test_numbers_are_their_decimal_text(world: World) -> None:
    await world.apply(TENANT, {"n1": Ticket("3745", 0, team="7", assignee="12", requester="12")}, position=101)
    roles = {"realm_access": {"roles": ["ticket_agent"]}}
    for claims in ({"sub": 12}, {"sub": "zoe", "teams": 7}, {"sub": "zoe", "teams": ["x", 7]}):
        bearer = token(key_for("ES256"), "ES256", world.claims() | roles | claims)
        assert (await world.post(["all"], bearer=bearer)).json()["data"]["counts"] == {"all": 1}, claims


async def test_the_scheme_is_known_in_any_letter_case(world: World) -> None:
    headers = world.headers() | {"authorization": f"bEARER   {world.token()}"}
    answer = await world.client.get(
        "/api/v2/ticketing/ticket/count?type=user&module=ticketing&filterIds=all", headers=headers
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("audience", "claimed", "status"),
    [
        (("counts",), "counts", 200),
        (("counts",), ["x", "counts"], 200),
        (("counts", "b"), "b", 200),
        (("counts",), "other", 401),
        (("counts",), ["other"], 401),
        (("counts",), [], 401),
        (("counts",), None, 401),
        (("counts",), 5, 401),
        (("counts",), {"counts": 1}, 401),
    ],
)
async def test_the_audience_is_checked_where_the_realm_names_one(
    world: World, audience: tuple[str, ...], claimed: Any, status: int
) -> None:
    await world.put_realm(audience=audience)
    assert await _status(world, world.token(**({} if claimed is None else {"aud": claimed}))) == status


@pytest.mark.parametrize(
    ("required", "claims", "status"),
    [
        ({"azp": "desk"}, {"azp": "desk"}, 200),
        ({"azp": "desk"}, {"azp": ["wall", "desk"]}, 200),
        ({"azp": "desk"}, {"azp": "Desk"}, 401),
        ({"azp": "desk"}, {"azp": ["wall"]}, 401),
        ({"azp": "desk"}, {"azp": None}, 401),
        ({"azp": "desk"}, {}, 401),
        ({"azp": "desk", "a.b": 1}, {"azp": "desk", "a": {"b": 1}}, 200),
        ({"azp": "desk", "a.b": 1}, {"azp": "desk", "a": {"b": 2}}, 401),
        ({"azp": "desk", "a.b": 1}, {"azp": "desk", "a": []}, 401),
        ({"azp": "desk", "a.b": 1}, {"azp": "desk", "a": "x"}, 401),
        ({"n": 1}, {"n": "1"}, 401),
        ({"n": 1}, {"n": True}, 401),
        ({"n": True}, {"n": 1}, 401),
        ({"email_verified": True}, {"email_verified": True}, 200),
        ({"https://desk.example/plan": "gold"}, {"https://desk.example/plan": "gold"}, 200),
    ],
)
async def test_a_realm_may_require_claims(
    world: World, required: dict[str, Any], claims: dict[str, Any], status: int
) -> None:
    await world.put_realm(required_claims=required)
    assert await _status(world, token(key_for("ES256"), "ES256", world.claims() | claims)) == status


@pytest.mark.parametrize(
    ("typ", "status"),
    [("at+jwt", 200), ("AT+JWT", 200), ("application/at+jwt", 200), ("JWT", 401), (None, 401), ("dpop+jwt", 401)],
)
async def test_a_realm_may_require_that_a_token_says_it_is_an_access_token(
    world: World, typ: str | None, status: int
) -> None:
    await world.put_realm(typ="at+jwt")
    assert await _status(world, token(key_for("ES256"), "ES256", world.claims(), typ=typ)) == status


async def test_claims_stand_where_the_realm_says(world: World) -> None:
    paths = ClaimPaths(user="profile.id", roles="https://acme.example/roles", teams="a.b.c", tenants=None)
    await world.put_realm(claims=paths)
    claims = world.claims() | {
        "profile": {"id": "bob"},
        "https://acme.example/roles": ["ticket_agent"],
        "a.b": {"c": "support"},
        "realm_access": {"roles": ["ticket_admin"]},
    }
    answer = await world.post(["all", "7471"], bearer=token(key_for("ES256"), "ES256", claims))
    assert answer.json()["data"]["counts"] == {"all": 3, "7471": 1}


async def test_an_expired_token_is_refused_at_once_though_it_was_good_before(world: World) -> None:
    bearer = world.token(exp=NOW_S + 5)
    assert await _status(world, bearer) == 200
    world.clock.now = (NOW_S + 5) * 1_000_000 - 1
    assert await _status(world, bearer) == 200
    world.clock.now += 1
    assert await _status(world, bearer) == 401


async def test_a_removed_realm_is_unknown_within_a_second(world: World) -> None:
    assert await _status(world, world.token()) == 200
    await world.drop_realm()
    world.clock.now = NOW_US + 1_000_000
    assert await _status(world, world.token()) == 404


async def test_a_good_token_is_verified_once_and_a_bad_one_each_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    verify = jwt.decode

    def decode(bearer: bytes, *arguments: Any, **options: Any) -> Any:
        seen.append(bearer.decode())
        return verify(bearer, *arguments, **options)

    monkeypatch.setattr("service.web.auth.tokens.jwt.decode", decode)
    good, bad = world.token(), world.token(nbf=NOW_S + 60)
    assert [await _status(world, bearer) for bearer in (good, good, bad, bad, good)] == [200, 200, 401, 401, 200]
    assert (seen.count(good), seen.count(bad)) == (1, 2)
