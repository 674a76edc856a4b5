"""Limits on what one user, tenant or address uses: token buckets, quotas, marks. Holds types only.

The store keeps them, so that all workers and processes share them. A *scope* is a tenant's id, or another text: all
keys of one call live in the scope's bucket. A *holder* is the account that is charged, such as a user.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """A token bucket: it holds at most `burst` tokens, and gains `per_min` tokens a minute.

    `per_min` 0 means no limit. `name` is the kind of cost.
    """

    name: str
    burst: int
    per_min: float


class Charge(NamedTuple):
    """Tokens to take from the holder's token bucket. More tokens than a full bucket holds count as a full bucket."""

    rate: Rate
    holder: str
    tokens: int = 1


class Quota(msgspec.Struct, frozen=True):
    """The number of claims that one holder may have at a time; `most` 0 means no limit."""

    name: str
    most: int


class Claim(NamedTuple):
    """One place of the holder's quota."""

    quota: Quota
    holder: str


class OverBudget(Exception):
    """The caller has to wait `wait_s` seconds: refuse the request with 429. The message names what is used up."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class BudgetStore(Protocol):
    """Keeps token buckets and quotas. Raises StoreUnavailable."""

    async def spend(self, scope: str, charges: Sequence[Charge]) -> float:
        """Takes the tokens of all charges and returns 0.0; or takes none, and returns the seconds until it could."""

    async def claim(self, scope: str, claims: Sequence[Claim], claimant: str, ttl_ms: int) -> bool:
        """Gives the claimant a place of each quota for `ttl_ms`, or renews it; False, and no place, when one is full.

        `claimant` names the user of the places, such as a stream. Each name counts once for a holder. A claim never
        shortens the time that an earlier claim of the same name gave.
        """

    async def release(self, scope: str, claims: Sequence[Claim], claimant: str) -> None:
        """Gives the claimant's places back before they expire."""


class Mark(NamedTuple):
    """A penalty or a proof that expires by itself: `kind` is its meaning, `holder` its account within the scope."""

    kind: str
    holder: str = ""


class Extension(NamedTuple):
    """Prolongs a mark by `by_s` seconds, to at most `most_s` from now."""

    mark: Mark
    by_s: float
    most_s: float


class MarkStore(Protocol):
    """Keeps marks; all marks of one scope are kept together. Raises StoreUnavailable."""

    async def marks_left(self, scope: str, marks: Sequence[Mark]) -> Sequence[float]:
        """Returns for how many more seconds each of these holds; 0.0 for one that has expired."""

    async def extend_marks(self, scope: str, extensions: Sequence[Extension]) -> None:
        """Prolongs all of these in one step; a mark that has expired starts now."""

    async def drop_mark(self, scope: str, mark: Mark) -> None:
        """Removes the mark."""
