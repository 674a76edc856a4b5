"""Long computations in steps: whoever runs one may do something else between two of them. Pure; knows no clock."""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Yields after each step, and returns the result."""


def at_once(steps: Steps[T]) -> T:
    """The result, with no pause in between."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
