"""What a caller was allowed, kept for a while under a secret that only they know: stream tickets and their cookies.

Only hashes of secrets are stored, so that a copy of the store opens no stream.
"""

import hashlib
import secrets
from typing import Protocol

SECRET_BYTES = 24
"""192 bits: not to be guessed while it lives."""


class GrantStore(Protocol):
    """Keeps bytes under names for a limited time. Raises StoreUnavailable."""

    async def put_grant(self, name: str, grant: bytes, ttl_ms: int) -> None:
        """Keeps it for so long."""

    async def grant(self, name: str) -> bytes | None:
        """What is kept under the name, if it still is."""

    async def take_grant(self, name: str) -> bytes | None:
        """The same, and it is gone: of two that ask at once, one gets it."""


def new_secret() -> str:
    """A secret that fits a URL and a cookie."""
    return secrets.token_urlsafe(SECRET_BYTES)


def name_of(kind: str, secret: str) -> str:
    """The name a grant is kept under."""
    return f"{kind}:{hashlib.sha256(secret.encode()).hexdigest()}"
