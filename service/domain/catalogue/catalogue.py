"""Catalogue entries as values: realms, tenants, filters, profiles, credentials. Pure, and reads no JSON."""

from typing import Any, Literal

import msgspec

from service.domain.conditions.condition import Condition

FilterType = Literal["system", "status", "priority", "category", "assignment", "team", "time", "sla", "custom"]


class Status(msgspec.Struct, frozen=True):
    """One status of a tenant; the tenant's order is the order for `lt … ge`."""

    id: str
    name: str
    color: str | None = None
    closed: bool = False
    active: bool = False
    awaiting: bool = False


class Priority(msgspec.Struct, frozen=True):
    """One priority of a tenant; `rank` is what `lt … ge` compare."""

    id: str
    name: str
    rank: float
    color: str | None = None


class Team(msgspec.Struct, frozen=True):
    """One team of a tenant, in a department for the form API."""

    id: str
    name: str
    department_id: int | None = None


class Sharing(msgspec.Struct, frozen=True):
    """Whom an owned filter or profile is shared with: any role the token names, any team."""

    roles: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()


class Filter(msgspec.Struct, frozen=True):
    """A saved filter. Without `owner` it is the tenant's; without `perspectives` it is good in all of them."""

    id: str
    name: str
    type: FilterType
    where: Condition
    color: str | None = None
    perspectives: frozenset[str] | None = None
    owner: str | None = None
    shared_with: Sharing = Sharing()


class Profile(msgspec.Struct, frozen=True):
    """A saved base filter, what `templateProfileFilterId` names."""

    id: str
    name: str
    where: Condition
    owner: str | None = None
    shared_with: Sharing = Sharing()


MOST_STATUSES = 1_000
MOST_PRIORITIES = 1_000
MOST_TEAMS = 10_000
"""Of one tenant: see `entry_limits`."""


class TenantSettings(msgspec.Struct, frozen=True, cache_hash=True):
    """The `tenant` entry itself."""

    id: str
    name: str
    realm: str
    statuses: tuple[Status, ...] = ()
    priorities: tuple[Priority, ...] = ()
    teams: tuple[Team, ...] = ()
    loading: bool = False


class ClaimPaths(msgspec.Struct, frozen=True):
    """Dotted paths into a token's claims. `tenants` None: a good token is good for every tenant of the realm."""

    user: str = "sub"
    roles: str = "realm_access.roles"
    teams: str = "teams"
    tenants: str | None = None


ClaimValue = str | int | float | bool
"""What a realm may require of a claim."""


class Realm(msgspec.Struct, frozen=True):
    """An identity realm: who issues tokens, and with which keys.

    A token must have every one of the `required_claims`, by dotted path, and with `typ` a header that says so.
    `passed_over` says which keys of its set can't be used, each with its path and the reason.
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
        """What an operator should know of it though it is in force."""
        unbound = "audience: none is named, so tokens that the issuer made for other clients are good here too"
        keys = (f"{reason}; this key is passed over" for reason in self.passed_over)
        return (*keys, *(() if self.audience else (unbound,)))


class Admin(msgspec.Struct, frozen=True):
    """Whom a credential of the form API stands for."""

    id: str
    name: str
    username: str


class Credential(msgspec.Struct, frozen=True):
    """A credential of the form API; every secret as hex SHA-256, several while one is being changed."""

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
    """This catalogue record can't come into force; the message starts with the path of the offending node."""
