"""Which tokens are good and whom they speak for, once more, slowly and plainly. Shares no code with the product."""

import math
from collections.abc import Mapping
from typing import Any

from tests.fuzz.token_worlds import ISSUER, NOW_S, Made

SKEW_S = 10
ROLES = ("ticket_user", "ticket_agent", "ticket_admin")
NOT_ACCESS = {"id", "refresh", "offline", "logout", "registrationaccesstoken", "initialaccesstoken"}


def verdict(made: Made) -> dict[str, Any] | None:
    """Who it speaks for; None for a bad one."""
    if not (_is_signed(made) and _header_is_good(made) and isinstance(made.claims, dict)):
        return None
    claims = made.claims
    if not (_is_in_time(claims) and _is_for_us(made, claims) and _is_access(claims)):
        return None
    if not all(_has(claims, path, value) for path, value in made.realm["required"].items()):
        return None
    return _identity(made, claims)


def _is_signed(made: Made) -> bool:
    kid, alg = made.header.get("kid"), made.header.get("alg")
    if not isinstance(alg, str) or ("kid" in made.header and not isinstance(kid, str)):
        return False
    for key in made.realm["keys"]:
        if key.signer != made.signer or alg not in key.names:
            continue
        # Both names of an Edwards curve are one algorithm; with an RSA key each name is another.
        same = alg == made.signed_as or made.signer[0] in ("EdDSA", "Ed448")
        if same and ("kid" not in made.header or key.kid is None or key.kid == kid):
            return True
    return False


def _header_is_good(made: Made) -> bool:
    typ = made.header.get("typ")
    if "crit" in made.header or made.header.get("b64") is False or not (typ is None or isinstance(typ, str)):
        return False
    kind = (typ or "").lower()
    if made.realm["typ"] is not None:
        return kind in ("at+jwt", "application/at+jwt")
    return typ is None or kind in ("jwt", "at+jwt", "application/at+jwt")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _is_in_time(claims: Mapping[str, Any]) -> bool:
    exp = claims.get("exp")
    if not _is_number(exp) or exp is None or math.floor(min(exp, 1e12) * 1_000_000) <= NOW_S * 1_000_000:
        return False
    return all(_is_number(claims[name]) and claims[name] <= NOW_S + SKEW_S for name in ("nbf", "iat") if name in claims)


def _is_for_us(made: Made, claims: Mapping[str, Any]) -> bool:
    if claims.get("iss") != ISSUER:
        return False
    audience = made.realm["audience"]
    if not audience:
        return True
    claimed = claims.get("aud")
    claimed = [claimed] if isinstance(claimed, str) else claimed
    if not isinstance(claimed, list) or not all(isinstance(each, str) for each in claimed):
        return False
    return bool(set(claimed) & set(audience))


def _is_access(claims: Mapping[str, Any]) -> bool:
    for name in ("typ", "token_use"):
        if isinstance(claims.get(name), str) and claims[name].lower() in NOT_ACCESS:
            return False
    if any(claims.get(name) is not None for name in ("nonce", "at_hash", "c_hash", "s_hash")):
        return False
    return claims.get("cnf") is None or claims["cnf"] == []


def _has(claims: Mapping[str, Any], path: str, value: Any) -> bool:
    found = _at(claims, path)
    if isinstance(found, _Wrong):
        return False
    each_found = found if isinstance(found, list) else [found]
    return any(each == value and (type(each) is bool) == (type(value) is bool) for each in each_found)


class _Wrong:
    """What stands where a path leads through something that is no object."""


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """Paths here have one or two names, and no claim has a dot in its own."""
    first, _, second = path.partition(".")
    outer = claims.get(first)
    if not second or outer is None or outer == []:
        return None if second else outer
    return outer.get(second) if isinstance(outer, dict) else _Wrong()


def _identity(made: Made, claims: Mapping[str, Any]) -> dict[str, Any] | None:
    paths = made.realm["paths"]
    user = _text(_at(claims, paths["user"]))
    roles, teams = (_texts(_at(claims, paths[name]), numbers=True) for name in ("roles", "teams"))
    tenants = None if paths["tenants"] is None else _texts(_at(claims, paths["tenants"]), numbers=False)
    if not _is_id(user) or roles is None or teams is None or (paths["tenants"] is not None and tenants is None):
        return None
    known = [role for role in ROLES if role in roles]
    return {
        "user": user,
        "role": known[-1] if known else None,
        "teams": {team for team in teams if _is_id(team)} if known else None,
        "tenants": tenants,
    }


def _text(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _texts(value: Any, *, numbers: bool) -> set[str] | None:
    """None for what is neither a text nor a list of texts."""
    if value is None:
        return set()
    members = value if isinstance(value, list) else [value]
    members = [_text(member) for member in members] if numbers else members
    return set(members) if all(isinstance(member, str) for member in members) else None


def _is_id(value: Any) -> bool:
    if not isinstance(value, str) or not 1 <= len(value) <= 128:
        return False
    return not any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) <= 0xDFFF for c in value)
