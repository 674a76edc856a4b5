"""Builds a realm from its entry: keys, algorithms, and required claims. Never fetches keys."""

from collections.abc import Mapping

from service.domain.catalogue.catalogue import ClaimPaths, ClaimValue, EntryError, Realm
from service.domain.catalogue.entry_shapes import ClaimsShape, RealmShape
from service.domain.catalogue.entry_text import ClaimPath, checked
from service.domain.catalogue.key_set import ALGORITHM_NAMES, read_key_set

MOST_REQUIRED_CLAIMS = 16
"""Each one is looked up in every new token."""

LONGEST_SHOWN = 64
"""Characters of a wrong path in an error."""


def realm_of(shape: RealmShape) -> Realm:
    """Returns the realm of an entry. Raises EntryError with the path of the wrong field."""
    jwks = None if shape.jwks == [] else shape.jwks
    if (jwks is None) == (shape.jwks_uri is None):
        raise EntryError("jwks: expected either jwks or jwksUri")
    if shape.jwks_uri is not None:
        raise EntryError("jwksUri: fetching keys is not supported yet; give the keys as jwks")
    algorithms = _algorithms(shape.algorithms or ())
    key_set = read_key_set(jwks, "jwks", algorithms)
    return Realm(
        shape.name,
        shape.issuer,
        jwks=key_set.as_jwks(),
        audience=(shape.audience,) if isinstance(shape.audience, str) else tuple(shape.audience or ()),
        algorithms=algorithms,
        claims=_claims(shape.claims if isinstance(shape.claims, ClaimsShape) else ClaimsShape()),
        passed_over=key_set.passed_over,
        required_claims=_required_claims(shape.required_claims if isinstance(shape.required_claims, dict) else {}),
        typ=shape.typ,
    )


def _algorithms(names: tuple[str, ...]) -> tuple[str, ...]:
    for index, name in enumerate(names):
        if name not in ALGORITHM_NAMES:
            known = ", ".join(sorted(ALGORITHM_NAMES))
            raise EntryError(f"algorithms[{index}]: invalid enum value {name!r}, expected one of {known}")
    return names


def _claims(shape: ClaimsShape) -> ClaimPaths:
    default = ClaimPaths()
    return ClaimPaths(
        shape.user or default.user, shape.roles or default.roles, shape.teams or default.teams, shape.tenants
    )


def _required_claims(claims: Mapping[str, ClaimValue | None]) -> dict[str, ClaimValue]:
    required = {path: value for path, value in claims.items() if value is not None}
    for path in required:
        checked(path, ClaimPath, f"requiredClaims[{path[:LONGEST_SHOWN]!r}]")
    if len(required) > MOST_REQUIRED_CLAIMS:
        raise EntryError(f"requiredClaims: expected at most {MOST_REQUIRED_CLAIMS}, got {len(required)}")
    return required
