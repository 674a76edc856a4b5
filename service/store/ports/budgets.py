"""How much one user, tenant or address may take of what all share: token buckets and quotas. Holds types only.

They are kept in the store, so that all workers and processes share them. A *scope* is a tenant's id, or another text:
all that one call names is kept in the scope's bucket. A *holder* is on whose account it goes: a user, say.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """A token bucket: it holds at most `burst` tokens, and gains `per_min` a minute.

    With `per_min` 0 there is no limit. `name` tells one kind of cost from another.
    """

    name: str
    burst: int
    per_min: float


class Charge(NamedTuple):
    """Tokens to be taken from the holder's bucket. What is more than a full bucket counts as a full one."""

    rate: Rate
    holder: str
    tokens: int = 1


class Quota(msgspec.Struct, frozen=True):
    """How many claims one holder may have at a time; with `most` 0 there is no limit."""

    name: str
    most: int


class Claim(NamedTuple):
    """One place of the holder's quota."""

    quota: Quota
    holder: str


class OverBudget(Exception):
    """The caller has to wait so many seconds: refuse this with 429. The message says what there is too much of."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class BudgetStore(Protocol):
    """Raises StoreUnavailable."""

    async def spend(self, scope: str, charges: Sequence[Charge]) -> float:
        """Takes the tokens of all charges and returns 0.0; or takes nothing, and returns the seconds until it could."""

    async def claim(self, scope: str, claims: Sequence[Claim], claimant: str, ttl_ms: int) -> bool:
        """Gives the claimant a place of each quota for so long, or renews them; False, and none, when one is used up.

        `claimant` names what uses the places: a stream, say. Each name counts once for a holder, and never has its
        places for a shorter time than an earlier claim gave it.
        """

    async def release(self, scope: str, claims: Sequence[Claim], claimant: str) -> None:
        """Gives the claimant's places back before their time."""
