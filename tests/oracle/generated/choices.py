"""The source of random decisions: a seed, or a property test that shrinks them. Knows no world."""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices(ABC):
    """A sequence of decisions. Shrinking prefers low numbers and first options, so callers list the simplest first."""

    @abstractmethod
    def integer(self, low: int, high: int) -> int:
        """Returns a whole number from `low` to `high`, both included."""

    def pick(self, options: Sequence[T]) -> T:
        """Returns one of the options."""
        return options[self.integer(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        """Returns True in `percent` of a hundred cases."""
        return self.integer(0, 99) >= 100 - percent

    def some(self, options: Sequence[T], least: int, most: int) -> list[T]:
        """Returns between `least` and `most` options, each at most once, in any order."""
        left = list(options)
        return [left.pop(self.integer(0, len(left) - 1)) for _ in range(self.integer(least, min(most, len(left))))]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """Returns all options in any order."""
        return self.some(options, len(options), len(options))


class SeededChoices(Choices):
    """Makes the same decisions for the same seed on every machine."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        return self._random.randint(low, high)
