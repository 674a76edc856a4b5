"""What a caller was allowed, kept for a while under a secret that only they know: stream tickets and their cookies.

Only hashes of secrets are stored, so that a copy of the store opens no stream. Each owner (a user) has a few grants at
a time, and what several of them say is kept once: nobody can fill the store.
"""

import hashlib
import secrets
from typing import NamedTuple, Protocol

SECRET_BYTES = 24
"""192 bits: not to be guessed while it lives."""

OWNER_BYTES = 8
"""Of a hash: whose grants meet by chance share their number, and nothing else."""

GRANT_BYTES = 8_192
"""What an owner's grants may say on average, each content once: a dashboard of 100 filters takes some 2 KB."""


class Grant(NamedTuple):
    """`content` is what is allowed, the same for grants that allow the same; `until` what differs, as short text."""

    content: bytes
    until: str


class Lives(NamedTuple):
    """For how long a grant is kept, and for how long once it was exchanged, in milliseconds from now."""

    ttl_ms: int
    exchanged_ttl_ms: int


class GrantStore(Protocol):
    """Keeps grants for a limited time. Raises StoreUnavailable."""

    async def put_grant(self, owner: str, name: str, grant: Grant, lives: Lives, most: int) -> None:
        """Keeps it. Beyond `most` grants of GRANT_BYTES each the owner's least recently used ones go; 0 is no limit."""

    async def grant(self, owner: str, name: str) -> Grant | None:
        """What is kept under the name, if it still is; it is used by this."""

    async def exchange_grant(self, owner: str, name: str, new_name: str) -> Grant | None:
        """Renames the grant and returns it. Of two callers at once, one gets it and the other None."""


def new_secret() -> str:
    """A secret that fits a URL and a cookie."""
    return secrets.token_urlsafe(SECRET_BYTES)


def name_of(kind: str, secret: str) -> str:
    """The name a grant is kept under."""
    return f"{kind}:{hashlib.sha256(secret.encode()).hexdigest()}"


def owner_of(realm: str, user: str) -> str:
    """The owner of a user's grants, as hexadecimal digits."""
    return hashlib.blake2b(f"{len(realm)}:{realm}{user}".encode(), digest_size=OWNER_BYTES).hexdigest()


def digest_of(content: bytes) -> str:
    """Names a content among its owner's."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
