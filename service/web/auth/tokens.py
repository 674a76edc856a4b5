"""Verifies access tokens: signature, issuer, audience, times, then the identity. Never uses the network.

A verified token is cached by its hash. Its expiry is checked at every use.
"""

import base64
import binascii
import hashlib
import math
from collections.abc import Mapping
from typing import Any

import jwt
import msgspec
from jwt.exceptions import PyJWTError

from service.domain.catalogue.catalogue import Realm
from service.domain.tickets.ticket import Instant
from service.lru import Lru
from service.web.auth.claims import BadToken, Identity, holds, identity
from service.web.auth.keys import VerifyingKey, verifying_keys

SKEW_S = 10
"""Seconds by which an identity provider's clock may be ahead of ours. Without them its newest tokens would be refused.

Only for `nbf` and `iat`. `exp` has no leeway, because streams end at it to the second.
"""

REALMS_COMPILED = 1_000
"""Realms whose loaded keys are cached. Loading a key again takes about 0.1 ms."""

ACCESS_TOKEN_TYPES = frozenset(("at+jwt", "application/at+jwt"))
"""Values of the header's `typ` that mark an access token (RFC 9068 section 2.1), in lower case."""

HEADER_TYPES = ACCESS_TOKEN_TYPES | {"jwt"}
"""Accepted values of the header's `typ` (RFC 7519 section 5.1). It may also be absent, unless the realm requires one of
the values above."""

OTHER_TOKENS = frozenset(("id", "refresh", "offline", "logout", "registrationaccesstoken", "initialaccesstoken"))
"""Values of Keycloak's `typ` claim and Cognito's `token_use` that mark other kinds of tokens, in lower case."""

ID_TOKEN_CLAIMS = frozenset(("nonce", "at_hash", "c_hash", "s_hash"))
"""Claims of ID tokens (OpenID Connect Core sections 2 and 3.3.2.11) that access tokens don't have."""

OPTIONS: jwt.types.Options = {
    "require": ["exp", "iss"],
    "verify_exp": False,  # the times are checked below, by our clock, which tests set
    "verify_nbf": False,
    "verify_iat": False,
    "verify_sub": False,  # the realm says which claim is the user
    "verify_jti": False,
}


class Header(msgspec.Struct):
    """The members of a token's header that are read before its signature is verified."""

    alg: str
    kid: str | None = None
    typ: str | None = None
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class CompiledRealm(msgspec.Struct, frozen=True, eq=False):
    """A realm with its loaded keys. The serial number is part of the cache key of verified tokens."""

    serial: int
    realm: Realm
    keys: tuple[VerifyingKey, ...]


_decode_header = msgspec.json.Decoder(Header).decode


class Tokens:
    """Verifies tokens, and caches up to `cache_entries` valid ones."""

    def __init__(self, cache_entries: int) -> None:
        self._realms: Lru[str, CompiledRealm] = Lru(REALMS_COMPILED)
        self._good: Lru[tuple[int, bytes], Identity] = Lru(cache_entries)
        self._serial = 0

    def verify(self, realm: Realm, token: bytes, now: Instant) -> Identity:
        """Returns the identity in the token. Raises BadToken when the token isn't valid at `now`, for any reason."""
        compiled = self._compiled(realm)
        key = (compiled.serial, hashlib.sha256(token).digest())
        found = self._good.get(key)
        if found is None:
            found = _verified(compiled, token, now)
            self._good.put(key, found)
        if found.expires_at <= now:
            raise BadToken("exp: is over")
        return found

    def _compiled(self, realm: Realm) -> CompiledRealm:
        known = self._realms.get(realm.name)
        if known is None or known.realm is not realm:
            self._serial += 1
            known = CompiledRealm(self._serial, realm, verifying_keys(realm))
            self._realms.put(realm.name, known)
        return known


def _verified(compiled: CompiledRealm, token: bytes, now: Instant) -> Identity:
    header = _header(token)
    for use in compiled.keys:
        if not use.fits(header.kid, header.alg):
            continue
        claims = _claims(compiled.realm, token, use)
        if claims is not None:
            _check_kind(compiled.realm, header, claims)
            return _checked(compiled.realm, claims, now)
    raise BadToken("signature: no key of the realm fits")


def _header(token: bytes) -> Header:
    try:
        encoded, _, _ = token.split(b".")
        header = _decode_header(base64.b64decode(encoded + b"=" * (-len(encoded) % 4), b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise BadToken("header: is no JOSE header") from None
    if header.crit is not msgspec.UNSET:
        raise BadToken("header: crit names what isn't understood here")  # RFC 7515 section 4.1.11
    if header.typ is not None and header.typ.lower() not in HEADER_TYPES:
        raise BadToken("header: typ is none of an access token")
    return header


def _claims(realm: Realm, token: bytes, use: VerifyingKey) -> Mapping[str, Any] | None:
    """Returns the claims, or None when this key didn't sign them."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            use.key,
            algorithms=[use.algorithm],
            issuer=realm.issuer,
            audience=realm.audience or None,
            options={**OPTIONS, "verify_aud": bool(realm.audience)},
        )
    except jwt.InvalidSignatureError:
        return None
    except (PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise BadToken(type(error).__name__) from None
    return claims


def _check_kind(realm: Realm, header: Header, claims: Mapping[str, Any]) -> None:
    """Raises BadToken unless this is a bearer access token, with the claims that the realm requires."""
    if realm.typ is not None and (header.typ or "").lower() not in ACCESS_TOKEN_TYPES:
        raise BadToken(f"header: typ must be {realm.typ}")
    kinds = [kind.lower() for kind in (claims.get("typ"), claims.get("token_use")) if isinstance(kind, str)]
    if not OTHER_TOKENS.isdisjoint(kinds) or any(claims.get(name) is not None for name in ID_TOKEN_CLAIMS):
        raise BadToken("typ: is no access token")
    if claims.get("cnf") not in (None, []):
        raise BadToken("cnf: is bound to its sender, which can't be checked here")  # RFC 7800, RFC 8705, RFC 9449
    for path, value in realm.required_claims.items():
        if not holds(claims, path, value):
            raise BadToken(f"{path}: isn't what the realm requires")


def _checked(realm: Realm, claims: Mapping[str, Any], now: Instant) -> Identity:
    latest_begin_s = now / 1_000_000 + SKEW_S
    for name in ("nbf", "iat"):
        if name in claims and _seconds(claims, name) > latest_begin_s:
            raise BadToken(f"{name}: is yet to come")
    # Capped, because a later instant would be beyond every calendar.
    expires_at = int(min(_seconds(claims, "exp"), 1e12) * 1_000_000)
    return identity(claims, realm.claims, expires_at)


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    """Returns a NumericDate (RFC 7519 section 2), which must be a number. Raises BadToken."""
    value = claims[name]
    # Tests for a whole number first: isfinite fails for one beyond the range of floats, which JSON may contain.
    if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))):
        raise BadToken(f"{name}: must be a number of seconds")
    return value
