"""Reads the identity from a token's verified claims. Never checks a signature, an issuer or a time."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from service.domain.catalogue.catalogue import ClaimPaths, ClaimValue
from service.domain.counting.viewer import Role, Viewer
from service.domain.tickets.ids import is_id
from service.domain.tickets.ticket import Instant

ROLES_WEAKEST_FIRST = tuple(Role)

UNPAIRED = re.compile("[\ud800-\udfff]")
"""An unpaired surrogate in decoded JSON."""


class BadToken(Exception):
    """A token is invalid: answer 401. The message is for the log, never for the caller."""


class Identity(msgspec.Struct, frozen=True):
    """The identity in a valid token.

    `viewer` is None when the token has no known role, `tenants` is None when the realm configures no tenants claim.
    """

    user: str
    expires_at: Instant
    viewer: Viewer | None
    tenants: frozenset[str] | None


def identity(claims: Mapping[str, Any], paths: ClaimPaths, expires_at: Instant) -> Identity:
    """Returns the identity in the claims. Raises BadToken for a claim of the wrong type or a missing user."""
    user = _text(_at(claims, paths.user))
    if not isinstance(user, str) or not is_id(user):
        raise BadToken(f"{paths.user}: must be an id")
    # No role in the catalogue has an unpaired surrogate, and a stream ticket can't store one.
    roles = frozenset(role for role in _texts(claims, paths.roles, numbers=True) if not UNPAIRED.search(role))
    teams = frozenset(team for team in _texts(claims, paths.teams, numbers=True) if is_id(team))
    known = [role for role in ROLES_WEAKEST_FIRST if role in roles]
    viewer = Viewer(user, known[-1], teams, roles) if known else None
    tenants = None if paths.tenants is None else _texts(claims, paths.tenants)
    return Identity(user, expires_at, viewer, tenants)


def holds(claims: Mapping[str, Any], path: str, required: ClaimValue) -> bool:
    """Whether the claim is this value, or a list with it. Types must agree: 1 is neither true nor "1"."""
    found = _at(claims, path)
    return any(
        each == required and isinstance(each, bool) == isinstance(required, bool)
        for each in (found if isinstance(found, list) else [found])
    )


def _text(value: Any) -> Any:
    """Turns a whole number into its decimal text: some providers number their users, teams and roles."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _texts(claims: Mapping[str, Any], path: str, *, numbers: bool = False) -> frozenset[str]:
    """Returns the texts of a claim, which may be a list, one text or missing. `numbers`: takes whole numbers too."""
    value = _at(claims, path)
    if value is None:
        return frozenset()
    values = value if isinstance(value, list) else [value]
    if numbers:
        values = [_text(member) for member in values]
    if not all(isinstance(member, str) for member in values):
        raise BadToken(f"{path}: must be a text or a list of texts")
    return frozenset(values)


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """Returns the value at a dotted path; None where there is none.

    A claim's name may itself contain dots, so the longest name that exists is taken: for the path
    `https://id.example/app.roles` first the whole path, then `https://id.example/app` with `roles` in it, and so on.
    """
    if path in claims:
        return claims[path]
    cut = path.rfind(".")
    while cut > 0:
        if path[:cut] in claims:
            inner = claims[path[:cut]]
            if inner is None or inner == []:  # PHP encodes an empty object as []
                return None
            if not isinstance(inner, Mapping):
                raise BadToken(f"{path[:cut]}: must be an object")
            return _at(inner, path[cut + 1 :])
        cut = path.rfind(".", 0, cut)
    return None
