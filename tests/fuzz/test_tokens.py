"""Tokens and key sets as nobody would write them: judged as the contract says, and never an error of ours."""

import asyncio
import base64
import json
from typing import Any

import pytest
from hypothesis import strategies as st

from service.domain.catalogue.catalogue import EntryError, Realm
from service.domain.catalogue.key_set import read_key_set
from service.web.auth.claims import BadToken, Identity
from service.web.auth.keys import verifying_keys
from service.web.auth.tokens import Tokens
from tests.fuzz.rounds import fuzz, within_its_time
from tests.fuzz.token_judge import verdict
from tests.fuzz.token_worlds import JSON, NOW_S, TEXTS, Made, good_claims, made_tokens, product_realm, realms
from tests.web.auth.keys import key_for, public_jwk, token
from tests.web.world import COUNT, NOW_US, QUERY, World, a_world

pytestmark = [within_its_time, pytest.mark.usefixtures("silent")]

NOW = NOW_S * 1_000_000


def identified(realm: Realm, bearer: bytes) -> Identity | None:
    """None for a bad token. Any error but BadToken fails the test."""
    try:
        return Tokens(0).verify(realm, bearer, NOW)
    except BadToken:
        return None


def test_a_token_is_good_exactly_when_the_contract_says_so() -> None:
    def check(made: Made) -> None:
        found, expected = identified(product_realm(made.realm), made.token), verdict(made)
        assert (found is None) is (expected is None), made
        if found is not None and expected is not None:
            viewer = found.viewer
            assert expected == {
                "user": found.user,
                "role": None if viewer is None else viewer.role,
                "teams": None if viewer is None else viewer.teams,
                "tenants": found.tenants,
            }

    fuzz(check, made_tokens())


@st.composite
def mangled(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A good token, and what became of it on its way."""
    good = token(key_for("ES256"), "ES256", good_claims()).encode()
    found = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at, other = draw(st.integers(0, len(found))), draw(st.integers(0, len(found)))
        match draw(st.integers(0, 4)):
            case 0:
                found[at:at] = draw(st.binary(min_size=1, max_size=8))
            case 1:
                del found[at : at + 5]
            case 2:
                found[at : at + 1] = draw(st.sampled_from([b".", b"=", b"A", b"-", b"_", b"+", b"/", b"%", b"\0"]))
            case 3:
                found[at:at] = found[other : other + 40]
            case _:
                parts = bytes(found).split(b".")
                draw(st.randoms(use_true_random=False)).shuffle(parts)
                found[:] = b".".join(parts)
    return good, bytes(found)


def parts_of(bearer: bytes) -> list[bytes]:
    """What its parts say, whatever fills them up."""
    return [base64.urlsafe_b64decode(part.rstrip(b"=") + b"==") for part in bearer.split(b".")]


def test_a_token_that_was_changed_is_bad() -> None:
    def check(tokens: tuple[bytes, bytes]) -> None:
        good, changed = tokens
        realm = Realm("fuzz", good_claims()["iss"], {"keys": [public_jwk(key_for("ES256"), kid="k1")]})
        assert identified(realm, good) is not None
        if identified(realm, changed) is not None:
            assert parts_of(changed) == parts_of(good), "another spelling of the same bytes"

    fuzz(check, mangled())


def test_garbage_is_bad() -> None:
    def check(realm: dict[str, Any], garbage: bytes) -> None:
        assert identified(product_realm(realm), garbage) is None

    fuzz(check, realms(), st.binary(max_size=200) | st.text("ey.-_=A0", max_size=200).map(str.encode))


MEMBERS = ("kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops", "x5c", "d", "k")
VALUES = JSON | st.sampled_from(("RSA", "EC", "OKP", "oct", "P-256", "P-384", "P-521", "Ed448", "X25519", "sig", "enc"))
SIGNING = [public_jwk(key_for(name), kid="x") for name in ("ES256", "ES384", "ES512", "RS256", "EdDSA", "Ed448")]


@st.composite
def odd_keys(draw: st.DrawFn) -> Any:
    """A key that is no longer quite one: other members, or other bytes in a member, off the curve as a rule."""
    key = dict(draw(st.sampled_from([*SIGNING, {}])))
    key |= draw(st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=2))
    for name in ("x", "y", "n", "e"):
        if isinstance(key.get(name), str) and draw(st.integers(0, 4)) == 0:
            size = len(key[name]) * 3 // 4
            key[name] = base64.urlsafe_b64encode(draw(st.binary(min_size=size, max_size=size))).rstrip(b"=").decode()
    return draw(st.sampled_from([key, key, key, [key], None, "key", 5]))


def test_a_key_set_is_refused_or_lets_exactly_its_good_keys_sign() -> None:
    def check(odd: list[Any], good: dict[str, Any]) -> None:
        jwks = {"keys": [*odd, good | {"kid": "the good one"}]}
        if any(isinstance(key, dict) and {"d", "k"} & {name for name in key if key[name] is not None} for key in odd):
            with pytest.raises(EntryError, match="a private key"):
                read_key_set(jwks, "jwks")
            return
        kept = read_key_set(jwks, "jwks").as_jwks()
        assert json.loads(json.dumps(kept)) == kept, "it can be stored"
        loaded = verifying_keys(Realm("fuzz", "i", kept))
        assert "the good one" in {key.key_id for key in loaded}
        assert len({key.key_id for key in loaded}) <= len(kept["keys"])

    fuzz(check, st.lists(odd_keys(), max_size=4), st.sampled_from(SIGNING))


ROLE_CLAIMS = st.dictionaries(st.sampled_from(("sub", "teams", "realm_access", "azp", "exp")), JSON, max_size=3)
LISTS = st.lists(TEXTS, max_size=3)


def test_no_good_token_makes_an_answer_fail() -> None:
    def check(changes: dict[str, Any], roles: list[str], teams: list[str], role: str) -> None:
        async def ask() -> None:
            world: World = await a_world(stream_tickets_per_user=0)
            more = {"realm_access": {"roles": [role, *roles]}, "teams": teams, "exp": NOW_US // 1_000_000 + 60}
            headers = world.headers(token(key_for("ES256"), "ES256", world.claims() | more | changes))
            body = {"filterIds": ["all", "7471", "7472"]}
            async with world.client:
                for path in (COUNT, f"{COUNT}/stream-ticket"):
                    answer = await world.client.post(f"{path}?{QUERY}", json=body, headers=headers)
                    assert answer.status_code in (200, 401, 403), (path, answer.text)

        asyncio.run(ask())

    fuzz(check, ROLE_CLAIMS, LISTS, LISTS, st.sampled_from(("ticket_user", "ticket_agent", "ticket_admin")))
