"""Long work in an event loop, in slices: whoever does it lets the others have their turn. Never waits for a time."""

import asyncio
import time
from typing import TypeVar

from service.domain.steps import Steps

T = TypeVar("T")

SLICE_S = 0.001
"""Longest piece of work, if a step isn't longer."""

TURNS_OF_OTHERS = 4
"""Turns of the loop between two slices: an answer takes some five, so long work delays one by a slice or two."""


class Turns:
    """Begins with a slice."""

    def __init__(self) -> None:
        self._end = time.perf_counter() + SLICE_S

    @property
    def over(self) -> bool:
        """Whether the slice is used up."""
        return time.perf_counter() >= self._end

    async def next(self) -> None:
        """Has everything else run that is ready, a few times, and begins a slice."""
        for _ in range(TURNS_OF_OTHERS):
            await asyncio.sleep(0)
        self._end = time.perf_counter() + SLICE_S


async def in_turns(steps: Steps[T]) -> T:
    """The result of a computation in steps, run in slices."""
    turns = Turns()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if turns.over:
            await turns.next()
