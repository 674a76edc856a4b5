"""Mints development tokens and keys: `python -m service.token`. Never verifies a token or uses the network."""

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
"""The least that RFC 7518 §3.3 allows: enough for development, and the fastest to generate."""

DEFAULT_TTL_S = 3_600
"""An hour: long enough to try things, short enough that a pasted token soon stops working."""

THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
"""The members of a key that its thumbprint covers, in the order they are hashed (RFC 7638 §3.2, RFC 8037 §2)."""


class KeyFileUnusable(Exception):
    """A key file can't be read, written or used to sign: name another one. The message has the path and the reason."""


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
    """Returns an access token for `user`, valid from `now_s` (seconds since the epoch) for `ttl_s` seconds.

    The claims are at a realm's default `claims` paths; `tenants` is for realms that configure a path for it.
    `realm` only informs human readers: the service takes the realm from the request's `realmname` header.
    """
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": user,
        "iat": now_s,
        "exp": now_s + ttl_s,
        "typ": "Bearer",  # Keycloak's name for access tokens; its ID tokens have another
        "realm": realm,
        "tenants": list(tenants),
        "realm_access": {"roles": list(roles)},
        "teams": list(teams),
    }
    if audience:
        claims["aud"] = audience[0] if len(audience) == 1 else list(audience)
    return jwt.encode(claims, key, algorithm=algorithm_of(key), headers={"kid": thumbprint(key)})


def jwks(*keys: PrivateKey) -> dict[str, Any]:
    """Returns the public halves of these keys as a realm's `jwks`."""
    return {
        "keys": [
            {**_public_members(key), "kid": thumbprint(key), "alg": algorithm_of(key), "use": "sig"} for key in keys
        ]
    }


def thumbprint(key: PrivateKey) -> str:
    """Returns the public key's SHA-256 thumbprint (RFC 7638): the same key has the same id everywhere."""
    members = json.dumps(_public_members(key), separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()


def algorithm_of(key: PrivateKey) -> str:
    """Returns the one of ALGORITHMS that fits this key."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    return "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "EdDSA"


def generate(algorithm: str = "ES256") -> PrivateKey:
    """Generates a key for one of ALGORITHMS."""
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else ec.generate_private_key(ec.SECP256R1())


def new_key(path: Path, algorithm: str = "ES256") -> PrivateKey:
    """Generates a key and writes it to `path` as PEM that only the file's owner may read.

    Raises KeyFileUnusable where the file can't be created, or exists: a key in use is never overwritten.
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
    """Returns the private key in a PEM file: RSA of 2048 bits or more, P-256 or Ed25519. Raises KeyFileUnusable."""
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise KeyFileUnusable(f"{path}: {error.strerror}") from None
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:  # cryptography raises this for a missing password
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
    """Runs the command and prints the token or the key set to stdout; returns the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv[1:])
    if not arguments.new_key:
        missing = [name for name in ("realm", "issuer", "tenant", "user", "role") if not getattr(arguments, name)]
        if missing:
            parser.error(f"the following arguments are required: {', '.join(f'--{name}' for name in missing)}")
    try:
        print(_new_key_set(arguments) if arguments.new_key else _token(arguments))
    except KeyFileUnusable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _new_key_set(arguments: argparse.Namespace) -> str:
    return json.dumps(jwks(new_key(arguments.key, arguments.algorithm or "ES256")))


def _token(arguments: argparse.Namespace) -> str:
    key = load_key(arguments.key)
    if arguments.algorithm not in (None, algorithm_of(key)):
        raise KeyFileUnusable(f"{arguments.key}: is a key for {algorithm_of(key)}, not for {arguments.algorithm}")
    return mint(
        key,
        realm=arguments.realm,
        issuer=arguments.issuer,
        tenants=arguments.tenant,
        user=arguments.user,
        roles=arguments.role,
        teams=arguments.team,
        now_s=int(time.time()),
        ttl_s=arguments.ttl,
        audience=arguments.audience,
    )


def _public_members(key: PrivateKey) -> dict[str, str]:
    """Returns the JWK members that define the public key, without optional ones."""
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


_seconds.__name__ = "number of seconds"  # argparse puts this into "invalid … value"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service.token",
        description="Mints a development token, signed with a private key, and prints it. With --new-key it generates "
        "the key instead, and prints the jwks for the realm's catalogue entry. Not for production, where an identity "
        "provider issues tokens.",
    )
    parser.add_argument("--version", action="version", version=ABOUT)
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="private key, PEM without password")
    parser.add_argument("--new-key", action="store_true", help="write a new key to FILE and print the realm's jwks")
    parser.add_argument(
        "--algorithm",
        choices=ALGORITHMS,
        help="algorithm of the new key (default: ES256); of an existing key, it must be the one that fits the key",
    )
    parser.add_argument("--realm", help="name of the realm, as in the request's realmname header")
    parser.add_argument("--issuer", help="the realm's issuer, exactly as in its catalogue entry")
    parser.add_argument("--tenant", action="append", default=[], help="tenant of the user (repeatable)")
    parser.add_argument("--user", help="id of the user, the sub claim")
    parser.add_argument(
        "--role", action="append", default=[], help="ticket_user, ticket_agent, ticket_admin or another (repeatable)"
    )
    parser.add_argument("--team", action="append", default=[], help="team of the user (repeatable)")
    parser.add_argument("--audience", action="append", default=[], help="audience that the realm requires (repeatable)")
    lifetime = "seconds until the token expires (default: %(default)s)"
    parser.add_argument("--ttl", type=_seconds, default=DEFAULT_TTL_S, metavar="SECONDS", help=lifetime)
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
