"""The JSON of catalogue entries, field by field. Only for parsing: the rest of the code uses `catalogue.catalogue`."""

from typing import Annotated, Any, Literal

import msgspec

from service.domain.catalogue.catalogue import ClaimValue, FilterType
from service.domain.catalogue.entry_text import ClaimPath, Id, Sha256, TenantId

# `entries` checks the pattern of a single hash: msgspec (0.19 to 0.22) frees a pattern in a union with a
# collection as if it were the collection's type, and the process crashes when it exits.
_Hashes = str | Annotated[list[Sha256], msgspec.Meta(min_length=1)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


# PHP writes an empty object as [].
_Nothing = Annotated[list[Any], msgspec.Meta(max_length=0)]


class _Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Unknown fields are ignored. For an optional field null means absent, and so does `[]` for an object."""


class ClaimsShape(_Shape, frozen=True, kw_only=True):
    """`claims` of a realm."""

    user: ClaimPath | None = None
    roles: ClaimPath | None = None
    teams: ClaimPath | None = None
    tenants: ClaimPath | None = None


class RealmShape(_Shape, frozen=True, kw_only=True):
    """`realm/<name>`."""

    name: Id
    issuer: _Text
    jwks_uri: str | None = None
    jwks: Any = None
    audience: _Text | Annotated[list[_Text], msgspec.Meta(min_length=1)] | None = None
    algorithms: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | None = None
    claims: ClaimsShape | _Nothing | None = None
    required_claims: dict[str, ClaimValue | None] | _Nothing | None = None
    typ: Literal["at+jwt"] | None = None


class StatusShape(_Shape, frozen=True, kw_only=True):
    """One of a tenant's `statuses`."""

    id: Id
    name: str
    color: str | None = None
    closed: bool | None = None
    active: bool | None = None
    awaiting: bool | None = None


class PriorityShape(_Shape, frozen=True, kw_only=True):
    """One of a tenant's `priorities`."""

    id: Id
    name: str
    rank: float
    color: str | None = None


class TeamShape(_Shape, frozen=True, kw_only=True):
    """One of a tenant's `teams`."""

    id: Id
    name: str
    department_id: _Int64 | None = None


class TenantShape(_Shape, frozen=True, kw_only=True):
    """`tenant/<id>`."""

    id: TenantId
    name: str
    realm: Id
    statuses: tuple[StatusShape, ...] | None = None
    priorities: tuple[PriorityShape, ...] | None = None
    teams: tuple[TeamShape, ...] | None = None
    loading: bool | None = None


class SharingShape(_Shape, frozen=True, kw_only=True):
    """`sharedWith` of a filter or profile."""

    roles: frozenset[str] | None = None
    teams: frozenset[Id] | None = None


class ProfileShape(_Shape, frozen=True, kw_only=True):
    """`profile/<tenant>/<id>`."""

    id: Id
    tenant: TenantId
    name: str
    where: Any
    owner: Id | None = None
    shared_with: SharingShape | _Nothing | None = None


class FilterShape(ProfileShape, frozen=True, kw_only=True):
    """`filter/<tenant>/<id>`."""

    type: FilterType
    color: str | None = None
    perspectives: Annotated[frozenset[Literal["template", "agent", "user"]], msgspec.Meta(min_length=1)] | None = None


class AdminShape(_Shape, frozen=True, kw_only=True):
    """`admin` of a credential. Panels use numeric admin ids; tickets hold the same ids as text."""

    id: Id | _Int64
    name: str
    username: _Text


class CredentialShape(_Shape, frozen=True, kw_only=True):
    """`credential/<identifier>`."""

    identifier: Id
    secret_sha256: _Hashes
    tenant: TenantId
    admin: AdminShape | _Nothing
    teams: tuple[Id, ...] | None = None
    password_sha256: _Hashes | None = None
    access_key_sha256: _Hashes | None = None
    allowed_ips: tuple[str, ...] | None = None
    allowed_actions: tuple[str, ...] | None = None
