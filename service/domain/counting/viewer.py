"""Who asks for counts. Pure values: no I/O."""

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """Roles a token may name, weakest first; the strongest one counts."""

    USER = "ticket_user"
    AGENT = "ticket_agent"
    ADMIN = "ticket_admin"


class Perspective(StrEnum):
    """The query's `type`: narrows what the role may see, never widens it."""

    TEMPLATE = "template"
    AGENT = "agent"
    USER = "user"


class Viewer(msgspec.Struct, frozen=True):
    """A checked caller: `role` is the strongest known one, `roles` all the token named (for `sharedWith`)."""

    user: str
    role: Role
    teams: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
