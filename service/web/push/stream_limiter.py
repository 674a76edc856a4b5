"""Limits the open streams of one user, one tenant, one address and this process. Never waits.

Beside the fixed limits, shares shrink as places fill up: a tenant may have three times as many streams as there are
free places, a user as many as its tenant has left (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on
Networking 6(2), 1998). Example: of a tenant's 3,000 places, the first greedy user gets 1,500, the next one 750, and so
on. So places remain for users with few streams, in that tenant and in others.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

FEW = 10
"""The smallest share while any place is free: the tabs of one person."""

TENANT_PER_FREE = 3
"""A tenant's share for each free place. So the first tenant can fill three quarters of all places."""

_NO_LIMIT = float("inf")

_Account = tuple[str, ...]


class StreamOwner(NamedTuple):
    """The user, address and tenant that a stream counts against. A user's name is unique within its realm only."""

    realm: str
    user: str
    address: str
    tenant: str


class StreamLimiter:
    """Counts open streams against the limits; 0 means no limit for a user, a tenant or an address."""

    def __init__(self, limit: int, per_user: int, per_tenant: int, per_address: int) -> None:
        self._limit = limit
        self._per_user = per_user or _NO_LIMIT
        self._per_tenant = per_tenant or _NO_LIMIT
        self._per_address = per_address or _NO_LIMIT  # behind a proxy, all clients share its address
        self._shares_tenants, self._shares_users = per_tenant > 0, per_user > 0
        self._held: Counter[_Account] = Counter()
        self.taken = 0

    def acquire(self, owner: StreamOwner) -> bool:
        """Counts a stream of the owner. Returns False, and counts nothing, when a limit is reached."""
        free = self._limit - self.taken
        if free <= 0 or any(self._held[account] >= limit for account, limit in self._limits(owner, free)):
            return False
        self.taken += 1
        for account in _accounts(owner):
            self._held[account] += 1
        return True

    def release(self, owner: StreamOwner) -> None:
        """Stops counting a stream that `acquire` has counted."""
        self.taken -= 1
        for account in _accounts(owner):
            self._held[account] -= 1
            if not self._held[account]:
                del self._held[account]

    def _limits(self, owner: StreamOwner, free: int) -> Iterator[tuple[_Account, float]]:
        """Yields how many streams the owner's user, tenant and address may hold while `free` places are free."""
        user, tenant, address = _accounts(owner)
        of_tenant = min(self._per_tenant, max(FEW, TENANT_PER_FREE * free)) if self._shares_tenants else _NO_LIMIT
        left = min(free, of_tenant - self._held[tenant])
        of_user = min(self._per_user, max(FEW, left)) if self._shares_users else _NO_LIMIT
        yield tenant, of_tenant
        yield user, of_user
        yield address, self._per_address


def _accounts(owner: StreamOwner) -> tuple[_Account, _Account, _Account]:
    """Returns the accounts of the user, the tenant and the address, in this order."""
    return ("user", owner.realm, owner.user), ("tenant", owner.tenant), ("address", owner.address)
