"""A realm's keys: which may verify what, and how a changed set is seen."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.web.keys import b64, key_for, public_jwk, token
from tests.web.world import World

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed448"]


async def _status(world: World, bearer: str) -> int:
    return (await world.post(bearer=bearer)).status_code


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("alg_in_key", [True, False])
async def test_every_asymmetric_algorithm_is_verified(world: World, algorithm: str, alg_in_key: bool) -> None:
    key, named = key_for(algorithm), "EdDSA" if algorithm == "Ed448" else algorithm
    await world.put_realm(jwks={"keys": [public_jwk(key, kid="k1", **({"alg": named} if alg_in_key else {}))]})
    assert await _status(world, token(key, named, world.claims())) == 200
    assert await _status(world, token(key_for("ES256", "stranger"), "ES256", world.claims())) == 401


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


async def test_a_token_without_a_key_id_fits_when_one_key_does(world: World) -> None:
    await world.put_realm(jwks={"keys": [public_jwk(key_for("ES256")), public_jwk(key_for("EdDSA"))]})
    for algorithm in ("ES256", "EdDSA"):
        assert await _status(world, token(key_for(algorithm), algorithm, world.claims(), kid=None)) == 200
    assert await _status(world, world.token()) == 401  # names a key that nobody has


async def test_a_new_key_is_taken_at_once_and_an_old_one_refused_within_a_second(world: World) -> None:
    new = key_for("ES256", "new")
    old_bearer, new_bearer = world.token(), token(new, "ES256", world.claims(), kid="k9")
    assert await _status(world, old_bearer) == 200
    assert await _status(world, new_bearer) == 401
    await world.put_realm(jwks={"keys": [public_jwk(new, kid="k9")]})
    assert await _status(world, new_bearer) == 200
    world.clock.now += 1_000_000
    assert await _status(world, old_bearer) == 401
