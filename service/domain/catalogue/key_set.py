"""Parses a set of public keys (RFC 7517) key by key: an unusable key is skipped. Never loads a key.

Used for a realm's `jwks` and for the document of an identity provider.
"""

import base64
from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec

from service.domain.catalogue.catalogue import EntryError
from service.domain.catalogue.entry_text import Base64Url, checked

ALGORITHMS: Mapping[tuple[str, str | None], tuple[frozenset[str], ...]] = {
    ("RSA", None): tuple(frozenset({name}) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    ("EC", "P-256"): (frozenset({"ES256"}),),
    ("EC", "P-384"): (frozenset({"ES384"}),),
    ("EC", "P-521"): (frozenset({"ES512"}),),
    ("OKP", "Ed25519"): (frozenset({"EdDSA", "Ed25519"}),),
    ("OKP", "Ed448"): (frozenset({"EdDSA", "Ed448"}),),
}
"""The algorithms of each key type and curve; the only list of them. Names in one set mean the same algorithm (RFC 9864
section 2.2). No symmetric algorithms: with them every verifier could also issue tokens."""

ALGORITHM_NAMES = frozenset[str]().union(*(names for each in ALGORITHMS.values() for names in each))
"""The names that a realm's `algorithms` may contain."""

PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv")
"""Members that are registered as private (RFC 7518 section 8.1.1, and later entries of its IANA registry)."""

MOST_KEYS = 32
"""Usable keys per set; providers publish two to ten. A bad token without `kid` costs one verification per key: 0.05 ms
with RSA, 0.1 ms with P-256, 0.5 ms with P-384 and P-521, so at most 16 ms."""

MOST_PASSED_OVER = 20
"""The number of reasons that are kept per set."""

LEAST_RSA_BITS = 2048
"""RFC 7518 section 3.3."""

COORDINATE_BYTES: Mapping[str, int] = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32, "Ed448": 57}
"""RFC 7518 section 6.2.1.2, RFC 8032 sections 5.1.5 and 5.2.5."""


class _Key(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kty"):
    kid: str | None = None
    alg: str | None = None
    use: Literal["sig"] | None = None
    key_ops: tuple[str, ...] | None = None


class _Rsa(_Key, frozen=True, tag="RSA", kw_only=True):
    n: Base64Url
    e: Base64Url


class _Ec(_Key, frozen=True, tag="EC", kw_only=True):
    crv: Literal["P-256", "P-384", "P-521"]
    x: Base64Url
    y: Base64Url


class _Okp(_Key, frozen=True, tag="OKP", kw_only=True):
    crv: Literal["Ed25519", "Ed448"]
    x: Base64Url


class _KeySet(msgspec.Struct, frozen=True):
    keys: tuple[Any, ...]


class PublicKey(msgspec.Struct, frozen=True):
    """A usable key: the members that verification needs, and the allowed `alg` names of its tokens."""

    members: dict[str, Any]
    algorithms: frozenset[str]

    @property
    def key_id(self) -> str | None:
        """Its `kid`. A key without one is tried with every token."""
        key_id: str | None = self.members.get("kid")
        return key_id


class KeySet(msgspec.Struct, frozen=True):
    """The usable keys of a set, and the skipped keys: path and reason of each."""

    keys: tuple[PublicKey, ...]
    passed_over: tuple[str, ...] = ()

    def as_jwks(self) -> dict[str, Any]:
        """Returns the usable keys as a JWK set."""
        return {"keys": [key.members for key in self.keys]}


def read_key_set(raw: object, path: str, allowed: Collection[str] = ()) -> KeySet:
    """Returns the keys that can verify tokens, limited to the `allowed` algorithms if any are named.

    Raises EntryError with the path of the problem when `raw` is not a key set, contains a private key, has no usable
    key, or has more than `MOST_KEYS` usable keys.
    """
    keys: list[PublicKey] = []
    passed_over: list[str] = []
    for index, member in enumerate(checked(raw, _KeySet, path).keys):
        place = f"{path}.keys[{index}]"
        _refuse_private(member, place)
        try:
            keys.append(_public_key(member, place, allowed))
        except EntryError as reason:
            passed_over.append(str(reason))
    if not keys:
        raise EntryError(f"{passed_over[0] if passed_over else f'{path}.keys: empty'}; no usable key is left")
    if len(keys) > MOST_KEYS:
        raise EntryError(f"{path}.keys: {len(keys)} usable keys, at most {MOST_KEYS} are accepted")
    return KeySet(tuple(keys), tuple(passed_over[:MOST_PASSED_OVER]))


def _refuse_private(member: object, place: str) -> None:
    """Raises EntryError for a private member, also of an unusable key: the catalogue must not hold secrets."""
    for name in PRIVATE_MEMBERS:
        if isinstance(member, dict) and member.get(name) is not None:
            raise EntryError(f"{place}.{name}: a private key, give the public one")


def _public_key(member: object, place: str, allowed: Collection[str]) -> PublicKey:
    """Parses one key. Raises EntryError with the reason why it can't be used."""
    key = checked(member, _Rsa | _Ec | _Okp, place)
    if key.key_ops is not None and "verify" not in key.key_ops:
        raise EntryError(f"{place}.key_ops: verify is missing")
    _check_size(key, place)
    kind = ("RSA", None) if isinstance(key, _Rsa) else ("EC" if isinstance(key, _Ec) else "OKP", key.crv)
    fitting = [names for names in ALGORITHMS[kind] if key.alg is None or key.alg in names]
    if not fitting:
        raise EntryError(f"{place}.alg: not an algorithm for this key type")
    permitted = [names for names in fitting if not allowed or names.intersection(allowed)]
    if not permitted:
        raise EntryError(f"{place}: fits none of the realm's algorithms")
    return PublicKey(dict(msgspec.to_builtins(key)), frozenset[str]().union(*permitted))


def _check_size(key: _Rsa | _Ec | _Okp, place: str) -> None:
    if isinstance(key, _Rsa):
        if _number(key.n).bit_length() < LEAST_RSA_BITS:
            raise EntryError(f"{place}.n: an RSA key has at least {LEAST_RSA_BITS} bits")
        return
    for name in ("x", "y") if isinstance(key, _Ec) else ("x",):
        if len(_octets(getattr(key, name))) != COORDINATE_BYTES[key.crv]:
            raise EntryError(f"{place}.{name}: expected {COORDINATE_BYTES[key.crv]} bytes")


def _number(text: str) -> int:
    return int.from_bytes(_octets(text), "big")


def _octets(text: str) -> bytes:
    """Decodes base64url text. Returns no bytes for an impossible length."""
    return b"" if len(text) % 4 == 1 else base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
