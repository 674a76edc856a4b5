"""A realm's public keys, each bound to what it may verify. Never follows a token's `jku`, or takes a secret."""

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from service.domain.catalogue import Realm

log = structlog.stdlib.get_logger(__name__)

PUBLIC_MEMBERS = frozenset(("kty", "crv", "n", "e", "x", "y"))
"""All that verifying needs (RFC 7518 section 6, RFC 8037 section 2); private halves are not even looked at."""

ALGORITHMS: Mapping[tuple[str, str | None], tuple[str, ...]] = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
    ("OKP", "Ed448"): ("EdDSA",),
}
"""By key type and curve. Nothing symmetric: with those whoever verifies could sign."""

LEAST_RSA_BITS = 2048
"""RFC 7518 section 3.3."""


class VerifyingKey(msgspec.Struct, frozen=True):
    """A public key with the one algorithm it is used for here."""

    key_id: str | None
    algorithm: str
    key: PyJWK


def verifying_keys(realm: Realm) -> tuple[VerifyingKey, ...]:
    """Every way this realm's tokens may be signed. A key that can't be used is logged and left out."""
    listed = (realm.jwks or {}).get("keys", [])
    found: list[VerifyingKey] = []
    for place, jwk in enumerate(listed if isinstance(listed, list) else []):
        try:
            found += _uses(jwk, realm.algorithms)
        except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError) as error:
            log.warning("key of a realm can't be used", realm=realm.name, key=place, problem=type(error).__name__)
    return tuple(found)


def _uses(jwk: Any, allowed: tuple[str, ...]) -> list[VerifyingKey]:
    if not isinstance(jwk, Mapping) or not _is_for_verifying(jwk):
        return []
    kind = jwk.get("kty")
    fitting = ALGORITHMS.get((str(kind), None if kind == "RSA" else jwk.get("crv")), ())
    if jwk.get("alg") is not None:
        fitting = tuple(algorithm for algorithm in fitting if algorithm == jwk["alg"])
    if allowed:
        fitting = tuple(algorithm for algorithm in fitting if algorithm in allowed)
    public = {name: value for name, value in jwk.items() if name in PUBLIC_MEMBERS}
    key_id = jwk.get("kid")
    uses = [
        VerifyingKey(key_id if isinstance(key_id, str) else None, algorithm, PyJWK(public, algorithm))
        for algorithm in fitting
    ]
    if any(isinstance(use.key.key, RSAPublicKey) and use.key.key.key_size < LEAST_RSA_BITS for use in uses):
        raise ValueError(f"an RSA key has at least {LEAST_RSA_BITS} bits")
    return uses


def _is_for_verifying(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops")
    return jwk.get("use", "sig") == "sig" and (not isinstance(operations, list) or "verify" in operations)
