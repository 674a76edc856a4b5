"""A bounded mapping that evicts the least recently used entries. Never evicts an entry by its age."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def _one(value: object) -> int:
    return 1


class Lru(Generic[K, V]):
    """Holds entries with a total weight of at most `limit`. Without `weight` each weighs 1: `limit` is their number.

    The weight of a value must not change while it is held. A value that is heavier than `limit` isn't kept, and evicts
    all others; with a limit of 0 nothing is kept.
    """

    def __init__(self, limit: int, weight: Callable[[V], int] = _one) -> None:
        self._limit = limit
        self._weight = weight
        self._entries: OrderedDict[K, V] = OrderedDict()
        self.weight = 0
        """The total weight of all entries."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def get(self, key: K) -> V | None:
        """Returns the value, None where there is none, and marks the entry as used."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Stores the value, and evicts the least recently used entries until the total weight is within the limit."""
        self.drop(key)
        self._entries[key] = value
        self.weight += self._weight(value)
        while self.weight > self._limit:
            _, gone = self._entries.popitem(last=False)
            self.weight -= self._weight(gone)

    def drop(self, key: K) -> None:
        """Removes the entry, if there is one."""
        gone = self._entries.pop(key, None)
        if gone is not None:
            self.weight -= self._weight(gone)
