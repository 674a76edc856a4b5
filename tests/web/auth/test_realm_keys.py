"""A realm's keys: which may verify what, and how a changed set is seen."""

import hashlib
import hmac
import json
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization

from service.domain.catalogue.catalogue import Realm
from service.domain.catalogue.entries import Entry, parse_record
from service.domain.catalogue.key_set import ALGORITHM_NAMES
from tests.web.auth.keys import b64, key_for, public_jwk, token
from tests.web.world import REALM, World

ALGORITHMS = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
    "Ed448",
]


async def _status(world: World, bearer: str) -> int:
    return (await world.post(bearer=bearer)).status_code


async def put_entry(world: World, **fields: Any) -> None:
    """Puts a realm in force as its catalogue record says."""
    value = {"name": REALM, "issuer": f"https://id.example/{REALM}"} | fields
    record = parse_record(f"realm/{REALM}".encode(), json.dumps(value).encode())
    assert isinstance(record, Entry)
    assert isinstance(record.value, Realm)
    await world.put_realm(**msgspec.structs.asdict(record.value))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("alg_in_key", [True, False])
async def test_every_asymmetric_algorithm_is_verified_and_may_be_named_by_the_realm(
    world: World, algorithm: str, alg_in_key: bool
) -> None:
    jwk = public_jwk(key_for(algorithm), kid="k1", **({"alg": algorithm} if alg_in_key else {}))
    await put_entry(world, jwks={"keys": [jwk]}, algorithms=[algorithm])
    assert await _status(world, token(key_for(algorithm), algorithm, world.claims())) == 200
    assert await _status(world, token(key_for("ES256", "stranger"), "ES256", world.claims())) == 401


def test_no_other_algorithm_may_be_named() -> None:
    assert sorted(ALGORITHM_NAMES) == sorted(ALGORITHMS)


@pytest.mark.parametrize(("curve", "other"), [("Ed25519", "Ed448"), ("Ed448", "Ed25519")])
async def test_a_tokens_algorithm_may_have_its_curves_older_or_newer_name(world: World, curve: str, other: str) -> None:
    for in_key in ("EdDSA", curve, None):
        await put_entry(world, jwks={"keys": [public_jwk(key_for(curve), kid="k1", alg=in_key)]})
        for in_token, status in (("EdDSA", 200), (curve, 200), (other, 401)):
            assert await _status(world, token(key_for(curve), in_token, world.claims())) == status


async def test_a_key_that_is_not_understood_costs_nobody_a_good_one(world: World) -> None:
    """As Keycloak and others publish them beside the keys that sign."""
    odd = [
        {"kty": "OKP", "crv": "X25519", "use": "enc", "x": b64(b"x" * 32)},
        {"kty": "XYZ"},
        {"kid": "k3"},
        public_jwk(key_for("RS256"), kid=5),
        public_jwk(key_for("RS256"), kid="k4", use="enc", alg="RSA-OAEP"),
        None,
    ]
    await put_entry(world, jwks={"keys": [*odd, public_jwk(key_for("ES256"), kid="k1"), *odd]})
    assert await _status(world, world.token()) == 200
    assert await _status(world, token(key_for("RS256"), "RS256", world.claims(), kid="k4")) == 401


async def test_a_public_key_is_no_shared_secret(world: World) -> None:
    key = key_for("RS256")
    await world.put_realm(
        jwks={"keys": [public_jwk(key, kid="k1"), {"kty": "oct", "kid": "k2", "k": b64(b"x" * 32)}]},
        algorithms=("HS256", "RS256"),
    )
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for secret, kid in ((pem, "k1"), (b"x" * 32, "k2")):
        head = b64(json.dumps({"alg": "HS256", "typ": "JWT", "kid": kid}).encode())
        signed = f"{head}.{b64(json.dumps(world.claims()).encode())}"
        forged = f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"
        assert await _status(world, forged) == 401


async def test_the_realm_may_allow_fewer_algorithms(world: World) -> None:
    key = key_for("RS256")
    await world.put_realm(jwks={"keys": [public_jwk(key, kid="k1")]}, algorithms=("PS256",))
    assert await _status(world, token(key, "RS256", world.claims())) == 401
    assert await _status(world, token(key, "PS256", world.claims())) == 200


@pytest.mark.parametrize(
    "jwk",
    [
        {"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "ES384"}, {"alg": "HS256"}, {"kty": "RSA"}, {"crv": "P-384"},
        {"x": "AAAA"}, {"x": 5}, {"crv": ["P-256"]}, {"kty": None}, {"kid": 5},
    ],
)  # fmt: skip
async def test_a_key_that_can_not_verify_lets_nobody_in_and_others_work_on(world: World, jwk: dict[str, Any]) -> None:
    odd = public_jwk(key_for("ES256"), kid="k1") | jwk
    other = public_jwk(key_for("ES256", "other"), kid="k2")
    await world.put_realm(jwks={"keys": ["no key", odd, other]})
    assert await _status(world, world.token()) == 401
    assert await _status(world, token(key_for("ES256", "other"), "ES256", world.claims(), kid="k2")) == 200


@pytest.mark.parametrize("jwks", [None, {}, {"keys": {}}, {"keys": []}])
async def test_a_realm_without_keys_lets_nobody_in(world: World, jwks: Any) -> None:
    await world.put_realm(jwks=jwks)
    assert await _status(world, world.token()) == 401


async def test_a_short_rsa_key_is_not_used(world: World) -> None:
    key = key_for("RS256", "1024")
    await world.put_realm(jwks={"keys": [public_jwk(key, kid="k1")]})
    assert await _status(world, token(key, "RS256", world.claims())) == 401


async def test_a_token_without_a_key_id_is_tried_with_every_key(world: World) -> None:
    signers = [("ES256", "first"), ("ES256", "other"), ("RS256", "first"), ("RS256", "other")]
    keys = [public_jwk(key_for(*signer), kid=f"k{number}") for number, signer in enumerate(signers)]
    await world.put_realm(jwks={"keys": keys})
    for algorithm, name in signers:
        assert await _status(world, token(key_for(algorithm, name), algorithm, world.claims(), kid=None)) == 200
    assert await _status(world, token(key_for("ES256", "stranger"), "ES256", world.claims(), kid=None)) == 401


async def test_a_key_without_an_id_is_tried_with_any_token(world: World) -> None:
    named = public_jwk(key_for("ES256", "other"), kid="k1")
    await world.put_realm(jwks={"keys": [named, public_jwk(key_for("ES256"))]})
    for kid in ("k1", "k2", None):
        assert await _status(world, token(key_for("ES256"), "ES256", world.claims(), kid=kid)) == 200
    assert await _status(world, token(key_for("ES256", "other"), "ES256", world.claims(), kid="k2")) == 401


async def test_a_new_key_is_taken_at_once_and_an_old_one_refused_within_a_second(world: World) -> None:
    new = key_for("ES256", "new")
    old_bearer, new_bearer = world.token(), token(new, "ES256", world.claims(), kid="k9")
    assert await _status(world, old_bearer) == 200
    assert await _status(world, new_bearer) == 401
    await world.put_realm(jwks={"keys": [public_jwk(new, kid="k9")]})
    assert await _status(world, new_bearer) == 200
    world.clock.now += 1_000_000
    assert await _status(world, old_bearer) == 401
