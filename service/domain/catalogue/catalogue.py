"""Catalogue entries as values: realms, tenants, filters, profiles, credentials. Pure; parses no JSON."""

from typing import Any, Literal

import msgspec

from service.domain.conditions.condition import Condition

FilterType = Literal["system", "status", "priority", "category", "assignment", "team", "time", "sla", "custom"]


class Status(msgspec.Struct, frozen=True):
    """One status of a tenant. `lt`, `le`, `gt`, `ge` and `between` compare positions in the tenant's list."""

    id: str
    name: str
    color: str | None = None
    closed: bool = False
    active: bool = False
    awaiting: bool = False


class Priority(msgspec.Struct, frozen=True):
    """One priority of a tenant. `lt`, `le`, `gt`, `ge` and `between` compare `rank`."""

    id: str
    name: str
    rank: float
    color: str | None = None


class Team(msgspec.Struct, frozen=True):
    """One team of a tenant, with its department for the form API."""

    id: str
    name: str
    department_id: int | None = None


class Sharing(msgspec.Struct, frozen=True):
    """The sharing of an owned filter or profile: viewers with one of the roles or in one of the teams see it."""

    roles: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()


class Filter(msgspec.Struct, frozen=True):
    """A saved filter. Without `owner` the whole tenant sees it; without `perspectives` it is valid in all of them."""

    id: str
    name: str
    type: FilterType
    where: Condition
    color: str | None = None
    perspectives: frozenset[str] | None = None
    owner: str | None = None
    shared_with: Sharing = Sharing()


class Profile(msgspec.Struct, frozen=True):
    """A saved base filter, named by `templateProfileFilterId` of a request."""

    id: str
    name: str
    where: Condition
    owner: str | None = None
    shared_with: Sharing = Sharing()


MOST_STATUSES = 1_000
MOST_PRIORITIES = 1_000
MOST_TEAMS = 10_000
"""Limits per tenant; `entry_limits` has those of filters and profiles, and the reason."""


class TenantSettings(msgspec.Struct, frozen=True, cache_hash=True):
    """The `tenant` entry: statuses, priorities and teams of one tenant."""

    id: str
    name: str
    realm: str
    statuses: tuple[Status, ...] = ()
    priorities: tuple[Priority, ...] = ()
    teams: tuple[Team, ...] = ()
    loading: bool = False


class ClaimPaths(msgspec.Struct, frozen=True):
    """Dotted paths into a token's claims. Without `tenants` a valid token is valid for every tenant of the realm."""

    user: str = "sub"
    roles: str = "realm_access.roles"
    teams: str = "teams"
    tenants: str | None = None


ClaimValue = str | int | float | bool
"""The value that a realm may require a claim to have."""


class Realm(msgspec.Struct, frozen=True):
    """An identity realm: the issuer of tokens and its public keys.

    A token must have each of the `required_claims` (dotted path -> value), and the `typ` header if `typ` is set.
    `passed_over` lists the keys of the set that can't be used: path and reason of each.
    """

    name: str
    issuer: str
    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None
    audience: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ()
    claims: ClaimPaths = ClaimPaths()
    passed_over: tuple[str, ...] = ()
    required_claims: dict[str, ClaimValue] = {}
    typ: Literal["at+jwt"] | None = None

    def warnings(self) -> tuple[str, ...]:
        """Returns problems that an operator should know, although the entry is in force."""
        unbound = "audience: none is named, so tokens that the issuer made for other clients are accepted too"
        keys = (f"{reason}; this key is ignored" for reason in self.passed_over)
        return (*keys, *(() if self.audience else (unbound,)))


class Admin(msgspec.Struct, frozen=True):
    """The admin that a credential of the form API acts as."""

    id: str
    name: str
    username: str


class Credential(msgspec.Struct, frozen=True):
    """A credential of the form API. Secrets are hex SHA-256; there are several while a secret is being rotated."""

    identifier: str
    secret_sha256: tuple[str, ...]
    tenant: str
    admin: Admin
    teams: tuple[str, ...] = ()
    password_sha256: tuple[str, ...] = ()
    access_key_sha256: tuple[str, ...] = ()
    allowed_ips: tuple[str, ...] | None = None
    allowed_actions: tuple[str, ...] | None = None


class EntryError(ValueError):
    """A catalogue record can't come into force. The message starts with the path of the wrong node."""
