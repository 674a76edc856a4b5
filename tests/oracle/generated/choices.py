"""Where a random world takes its decisions from: a seed, or a property test that shrinks them. Knows no world."""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices(ABC):
    """Decisions one after another; the first and the lowest are the plainest, which is what shrinking goes for."""

    @abstractmethod
    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""

    def pick(self, options: Sequence[T]) -> T:
        """One of them."""
        return options[self.integer(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        """True in that many of a hundred cases."""
        return self.integer(0, 99) >= 100 - percent

    def some(self, options: Sequence[T], least: int, most: int) -> list[T]:
        """Between `least` and `most` of them, each at most once, in any order."""
        left = list(options)
        return [left.pop(self.integer(0, len(left) - 1)) for _ in range(self.integer(least, min(most, len(left))))]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """All of them in any order."""
        return self.some(options, len(options), len(options))


class SeededChoices(Choices):
    """The same decisions for the same seed, on every machine."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        return self._random.randint(low, high)
