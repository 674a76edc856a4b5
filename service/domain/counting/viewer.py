"""The viewer of counts: user, role and teams. Pure values: no I/O."""

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """The known roles, weakest first. The strongest one in a token applies."""

    USER = "ticket_user"
    AGENT = "ticket_agent"
    ADMIN = "ticket_admin"


class Perspective(StrEnum):
    """The query's `type`: narrows what the role may see, never widens it."""

    TEMPLATE = "template"
    AGENT = "agent"
    USER = "user"


class Viewer(msgspec.Struct, frozen=True):
    """An authenticated viewer: `role` is the strongest known role, `roles` are all in the token (for `sharedWith`)."""

    user: str
    role: Role
    teams: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
