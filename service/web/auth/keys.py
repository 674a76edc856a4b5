"""Loads a realm's public keys, each bound to its algorithms. Never follows a token's `jku`, never takes a secret."""

from typing import Any

import msgspec
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from service.domain.catalogue.catalogue import EntryError, Realm
from service.domain.catalogue.key_set import PublicKey, read_key_set

log = structlog.stdlib.get_logger(__name__)

PUBLIC_MEMBERS = frozenset(("kty", "crv", "n", "e", "x", "y"))
"""The members of a key that verification needs (RFC 7518 section 6, RFC 8037 section 2)."""


class VerifyingKey(msgspec.Struct, frozen=True):
    """A public key with one value that the `alg` of its tokens may have."""

    key_id: str | None
    algorithm: str
    key: PyJWK

    def fits(self, key_id: str | None, algorithm: str) -> bool:
        """Whether this key may have signed a token with this header. `kid` is a hint (RFC 7515 section 4.1.4)."""
        return self.algorithm == algorithm and (key_id is None or self.key_id is None or self.key_id == key_id)


def verifying_keys(realm: Realm) -> tuple[VerifyingKey, ...]:
    """Returns the keys of the realm, once per algorithm. Logs and leaves out a key that can't be loaded."""
    try:
        keys = read_key_set(realm.jwks, "jwks", realm.algorithms).keys
    except EntryError as error:
        log.warning("realm without a usable key", realm=realm.name, problem=str(error))
        return ()
    found: list[VerifyingKey] = []
    for place, key in enumerate(keys):
        try:
            found += _uses(key)
        except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError) as error:
            log.warning("key of a realm can't be used", realm=realm.name, key=place, problem=type(error).__name__)
    return tuple(found)


def _uses(key: PublicKey) -> list[VerifyingKey]:
    public: dict[str, Any] = {name: value for name, value in key.members.items() if name in PUBLIC_MEMBERS}
    return [VerifyingKey(key.key_id, name, _loaded(public, name)) for name in sorted(key.algorithms)]


def _loaded(public: dict[str, Any], algorithm: str) -> PyJWK:
    """Loads a key. PyJWT knows only `EdDSA`, the older name, and compares the key's name with the token's."""
    jwk = PyJWK(public, "EdDSA" if public["kty"] == "OKP" else algorithm)
    jwk.algorithm_name = algorithm
    return jwk
