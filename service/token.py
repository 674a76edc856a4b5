"""Development tokens and keys: `python -m service.token`. Never checks a token, and never asks an identity provider."""

import argparse
import base64
import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from service.version import ABOUT

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

ALGORITHMS = ("ES256", "EdDSA", "RS256")

RSA_BITS = 2048
"""The least RFC 7518 §3.3 allows, which is plenty for development and the fastest to make."""

DEFAULT_TTL_S = 3_600
"""An hour: long enough to try things, short enough that a pasted token soon stops working."""

THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
"""RFC 7638 §3.2 and RFC 8037 §2, in the order they are hashed."""


class KeyFileUnusable(Exception):
    """This key file can't be read, made or signed with: name another one. The message says which and why."""


def mint(
    key: PrivateKey,
    *,
    realm: str,
    issuer: str,
    tenants: Sequence[str],
    user: str,
    roles: Sequence[str],
    now_s: int,
    teams: Sequence[str] = (),
    ttl_s: int = DEFAULT_TTL_S,
    audience: Sequence[str] = (),
) -> str:
    """An access token for `user`, good from `now_s` (seconds since the epoch) for `ttl_s` seconds.

    Claims stand where a realm's default `claims` paths look for them; `tenants` is there for realms that name it.
    `realm` is only for whoever reads the token: the service finds the realm by the request's header.
    """
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": user,
        "iat": now_s,
        "exp": now_s + ttl_s,
        "typ": "Bearer",  # what Keycloak calls an access token, against its ID tokens
        "realm": realm,
        "tenants": list(tenants),
        "realm_access": {"roles": list(roles)},
        "teams": list(teams),
    }
    if audience:
        claims["aud"] = audience[0] if len(audience) == 1 else list(audience)
    return jwt.encode(claims, key, algorithm=algorithm_of(key), headers={"kid": thumbprint(key)})


def jwks(*keys: PrivateKey) -> dict[str, Any]:
    """The public halves of these keys as a realm's `jwks`."""
    return {
        "keys": [
            {**_public_members(key), "kid": thumbprint(key), "alg": algorithm_of(key), "use": "sig"} for key in keys
        ]
    }


def thumbprint(key: PrivateKey) -> str:
    """The RFC 7638 SHA-256 thumbprint of the public key: the same key has the same name everywhere."""
    members = json.dumps(_public_members(key), separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()


def algorithm_of(key: PrivateKey) -> str:
    """The one algorithm this key signs with here."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    return "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "EdDSA"


def generate(algorithm: str = "ES256") -> PrivateKey:
    """A new key for one of ALGORITHMS."""
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else ec.generate_private_key(ec.SECP256R1())


def new_key(path: Path, algorithm: str = "ES256") -> PrivateKey:
    """A new key, written to `path` as PEM that only its owner may read.

    Raises KeyFileUnusable where a file is already or none can be made: a key in use is never overwritten.
    """
    key = generate(algorithm)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    except FileExistsError:
        raise KeyFileUnusable(f"{path}: exists already and is not overwritten") from None
    except OSError as error:
        raise KeyFileUnusable(f"{path}: {error.strerror}") from None
    return key


def load_key(path: Path) -> PrivateKey:
    """The private key in a PEM file: RSA of 2048 bits or more, P-256 or Ed25519. Raises KeyFileUnusable."""
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise KeyFileUnusable(f"{path}: {error.strerror}") from None
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:  # what cryptography raises for a missing password
        raise KeyFileUnusable(f"{path}: is encrypted, and no password can be given here") from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFileUnusable(f"{path}: is not a private key in PEM") from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    raise KeyFileUnusable(f"{path}: must be an RSA key of {RSA_BITS} bits or more, a P-256 or an Ed25519 key")


def main(argv: Sequence[str]) -> int:
    """The command line; the token or the key set goes to stdout. Returns the exit status."""
    parser = _parser()
    asked = parser.parse_args(argv[1:])
    if not asked.new_key:
        missing = [name for name in ("realm", "issuer", "tenant", "user", "role") if not getattr(asked, name)]
        if missing:
            parser.error(f"the following arguments are required: {', '.join(f'--{name}' for name in missing)}")
    try:
        print(_new_key_set(asked) if asked.new_key else _token(asked))
    except KeyFileUnusable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _new_key_set(asked: argparse.Namespace) -> str:
    return json.dumps(jwks(new_key(asked.key, asked.algorithm or "ES256")))


def _token(asked: argparse.Namespace) -> str:
    key = load_key(asked.key)
    if asked.algorithm not in (None, algorithm_of(key)):
        raise KeyFileUnusable(f"{asked.key}: is a key for {algorithm_of(key)}, not for {asked.algorithm}")
    return mint(
        key,
        realm=asked.realm,
        issuer=asked.issuer,
        tenants=asked.tenant,
        user=asked.user,
        roles=asked.role,
        teams=asked.team,
        now_s=int(time.time()),
        ttl_s=asked.ttl,
        audience=asked.audience,
    )


def _public_members(key: PrivateKey) -> dict[str, str]:
    """The members of the public key as a JWK that say what it is, and no others."""
    if isinstance(key, rsa.RSAPrivateKey):
        jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        jwk = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {member: str(jwk[member]) for member in THUMBPRINT_MEMBERS[jwk["kty"]]}


def _seconds(text: str) -> int:
    seconds = int(text)
    if seconds < 1:
        raise ValueError
    return seconds


_seconds.__name__ = "number of seconds"  # how argparse names it in "invalid … value"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service.token",
        description="Mints a development token, signed with a private key, and prints it. With --new-key it makes the "
        "key instead and prints the jwks for the realm's catalogue entry. Not for production: there an identity "
        "provider does this.",
    )
    parser.add_argument("--version", action="version", version=ABOUT)
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="private key, PEM without password")
    parser.add_argument("--new-key", action="store_true", help="make FILE with a new key and print the realm's jwks")
    parser.add_argument(
        "--algorithm",
        choices=ALGORITHMS,
        help="of a new key (default: ES256); an existing key knows its own, and another one here is an error",
    )
    parser.add_argument("--realm", help="name of the realm, as the request's realmname header has it")
    parser.add_argument("--issuer", help="the realm's issuer, exactly as in its catalogue entry")
    parser.add_argument("--tenant", action="append", default=[], help="tenant of the user (repeatable)")
    parser.add_argument("--user", help="id of the user, the sub claim")
    parser.add_argument(
        "--role", action="append", default=[], help="ticket_user, ticket_agent, ticket_admin or another (repeatable)"
    )
    parser.add_argument("--team", action="append", default=[], help="team of the user (repeatable)")
    parser.add_argument(
        "--audience", action="append", default=[], help="audience, where the realm asks for it (repeatable)"
    )
    parser.add_argument(
        "--ttl",
        type=_seconds,
        default=DEFAULT_TTL_S,
        metavar="SECONDS",
        help="seconds until it expires (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
