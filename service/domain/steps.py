"""Long computations in steps: the caller may do other work between two steps. Pure; knows no clock."""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""A generator that yields after each step and returns the result."""


def at_once(steps: Steps[T]) -> T:
    """Runs all steps without a pause and returns the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
