"""Sets of public keys (RFC 7517) as a realm brings them. Only their shape: whoever verifies tokens loads them."""

from typing import Annotated, Any, Literal

import msgspec

from service.domain.catalogue import EntryError
from service.domain.entry_text import Base64Url, checked


class _Key(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kty"):
    kid: str | None = None
    alg: str | None = None
    use: str | None = None
    key_ops: tuple[str, ...] | None = None


class _Rsa(_Key, frozen=True, tag="RSA", kw_only=True):
    n: Base64Url
    e: Base64Url


class _Ec(_Key, frozen=True, tag="EC", kw_only=True):
    crv: Literal["P-256", "P-384", "P-521", "secp256k1"]
    x: Base64Url
    y: Base64Url


class _Okp(_Key, frozen=True, tag="OKP", kw_only=True):
    crv: Literal["Ed25519", "Ed448"]
    x: Base64Url


class _KeySet(msgspec.Struct, frozen=True):
    keys: Annotated[tuple[_Rsa | _Ec | _Okp, ...], msgspec.Meta(max_length=100)]


def parse_key_set(raw: object, path: str) -> dict[str, Any]:
    """The set with nothing in it but what public keys need. Raises EntryError with the path of what doesn't fit.

    A key with a private part is refused: the catalogue is no place for one.
    """
    keys = checked(raw, _KeySet, path)
    for index, key in enumerate(_raw_keys(raw)):
        if "d" in key:
            raise EntryError(f"{path}.keys[{index}].d: a private key, give the public one")
    return {"keys": [dict(msgspec.to_builtins(key)) for key in keys.keys]}


def _raw_keys(raw: object) -> list[dict[str, Any]]:
    return list(raw["keys"]) if isinstance(raw, dict) else []
