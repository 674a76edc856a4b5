"""How many streams one user, one address and this process may have open. Never waits: there is a place, or not."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple


class Holder(NamedTuple):
    """On whose account a stream is open."""

    realm: str
    user: str
    address: str


class Places:
    """Counts open streams against the limits; 0 is no limit for a user or an address."""

    def __init__(self, most: int, most_per_user: int, most_per_address: int) -> None:
        self._most = most
        self._per_user = most_per_user
        self._per_address = most_per_address
        self._held: Counter[tuple[str, ...]] = Counter()
        self.taken = 0

    def take(self, holder: Holder) -> bool:
        """False when all places are taken that this one may have."""
        if self.taken >= self._most or any(self._held[key] >= most > 0 for key, most in self._limits(holder)):
            return False
        self.taken += 1
        for key, _ in self._limits(holder):
            self._held[key] += 1
        return True

    def give_back(self, holder: Holder) -> None:
        """After `take` has said yes."""
        self.taken -= 1
        for key, _ in self._limits(holder):
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]

    def _limits(self, holder: Holder) -> Iterator[tuple[tuple[str, ...], int]]:
        yield (holder.realm, holder.user), self._per_user
        yield (holder.address,), self._per_address
