"""How many streams one user, one tenant, one address and this process may have open. Never waits.

Beside fixed limits nobody who has many may take the last places: a tenant may have three times as many as are still
free, a user as many as are still free for its tenant (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on
Networking 6(2), 1998). Of 3,000 for a tenant its first greedy user gets 1,500, the next one 750, and so on; some are
left for whoever has few, in that tenant and in others.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

FEW = 10
"""Streams that anybody may have while any place is free: the tabs of a person."""

OF_FREE = 3
"""How many a tenant may have for each place that is free: three quarters of all for the first one."""


_NO_LIMIT = float("inf")

_Account = tuple[str, ...]


class StreamOwner(NamedTuple):
    """On whose account a stream is open."""

    realm: str
    user: str
    address: str
    tenant: str


class StreamLimiter:
    """Counts open streams against the limits; 0 is no limit for a user, a tenant or an address."""

    def __init__(self, most: int, most_per_user: int, most_per_tenant: int, most_per_address: int) -> None:
        self._most = most
        self._per_user = most_per_user or _NO_LIMIT
        self._per_tenant = most_per_tenant or _NO_LIMIT
        self._per_address = most_per_address or _NO_LIMIT  # behind a proxy, that of all
        self._shares_tenants, self._shares_users = most_per_tenant > 0, most_per_user > 0
        self._held: Counter[_Account] = Counter()
        self.taken = 0

    def take(self, owner: StreamOwner) -> bool:
        """False when all places are taken that this one may have."""
        free = self._most - self.taken
        if free <= 0 or any(self._held[account] >= most for account, most in self._limits(owner, free)):
            return False
        self.taken += 1
        for account in _accounts(owner):
            self._held[account] += 1
        return True

    def give_back(self, owner: StreamOwner) -> None:
        """After `take` has said yes."""
        self.taken -= 1
        for account in _accounts(owner):
            self._held[account] -= 1
            if not self._held[account]:
                del self._held[account]

    def _limits(self, owner: StreamOwner, free: int) -> Iterator[tuple[_Account, float]]:
        """How many each of its accounts may have, while so many places are free."""
        user, tenant, address = _accounts(owner)
        of_tenant = min(self._per_tenant, max(FEW, OF_FREE * free)) if self._shares_tenants else _NO_LIMIT
        left = min(free, of_tenant - self._held[tenant])
        of_user = min(self._per_user, max(FEW, left)) if self._shares_users else _NO_LIMIT
        yield tenant, of_tenant
        yield user, of_user
        yield address, self._per_address


def _accounts(owner: StreamOwner) -> tuple[_Account, _Account, _Account]:
    """Those of its user, its tenant and its address."""
    return ("user", owner.realm, owner.user), ("tenant", owner.tenant), ("address", owner.address)
