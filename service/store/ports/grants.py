"""Grants: permissions that expire, each under a secret that only its owner knows (stream tickets, cookies). Types only.

The store keeps only hashes of secrets, so that a copy of the store opens no stream. Each owner (a user) has a limited
number of grants, and equal contents are stored once, so that no user can fill the store.
"""

import hashlib
import secrets
from typing import NamedTuple, Protocol

SECRET_BYTES = 24
"""192 bits: impossible to guess while the grant lives."""

OWNER_BYTES = 8
"""Length of the owner's hash: two owners with an equal hash share the limit on grants, and nothing else."""

GRANT_BYTES = 8_192
"""Average size limit of an owner's grants, equal contents counted once: a dashboard of 100 filters takes some 2 KB."""


class Grant(NamedTuple):
    """A permission: `content` is equal for grants that allow the same; `until` is a short text that differs."""

    content: bytes
    until: str


class Lives(NamedTuple):
    """Time to live of a grant, and its time to live once exchanged, in milliseconds from now."""

    ttl_ms: int
    exchanged_ttl_ms: int


class GrantStore(Protocol):
    """Keeps grants for a limited time. Raises StoreUnavailable."""

    async def put_grant(self, owner: str, name: str, grant: Grant, lives: Lives, most: int) -> None:
        """Stores a grant. Drops the owner's least recently used grants beyond `most`, or beyond `most` x GRANT_BYTES.

        `most` 0 means no limit.
        """

    async def grant(self, owner: str, name: str) -> Grant | None:
        """Returns the grant of this name if it hasn't expired, and marks it as used now."""

    async def exchange_grant(self, owner: str, name: str, new_name: str) -> Grant | None:
        """Renames the grant and returns it. Of two concurrent callers, one gets the grant and the other None."""


def new_secret() -> str:
    """Returns a random secret that is valid in a URL and in a cookie."""
    return secrets.token_urlsafe(SECRET_BYTES)


def name_of(kind: str, secret: str) -> str:
    """Returns the name of the grant with this secret."""
    return f"{kind}:{hashlib.sha256(secret.encode()).hexdigest()}"


def owner_of(realm: str, user: str) -> str:
    """Returns the owner of a user's grants, as hexadecimal digits."""
    return hashlib.blake2b(f"{len(realm)}:{realm}{user}".encode(), digest_size=OWNER_BYTES).hexdigest()


def digest_of(content: bytes) -> str:
    """Returns the name of a content among those of its owner."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
