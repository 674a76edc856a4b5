"""A mapping with a fixed number of places that forgets what was not used for longest. Never asks how old a value is."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def _one(value: object) -> int:
    return 1


class Lru(Generic[K, V]):
    """Holds entries that weigh at most `limit` together; without `weight` each weighs 1, so that it is their number.

    The weight of a value must not change while it is held. One that alone is over the limit isn't kept; with a limit
    of 0 nothing is.
    """

    def __init__(self, limit: int, weight: Callable[[V], int] = _one) -> None:
        self._limit = limit
        self._weight = weight
        self._entries: OrderedDict[K, V] = OrderedDict()
        self.weight = 0
        """Of all entries together."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def get(self, key: K) -> V | None:
        """The value, which counts as a use of it."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Remembers the value; whatever was not used for longest makes room."""
        self.drop(key)
        self._entries[key] = value
        self.weight += self._weight(value)
        while self.weight > self._limit:
            _, gone = self._entries.popitem(last=False)
            self.weight -= self._weight(gone)

    def drop(self, key: K) -> None:
        """Forgets the value, if there is one."""
        gone = self._entries.pop(key, None)
        if gone is not None:
            self.weight -= self._weight(gone)
