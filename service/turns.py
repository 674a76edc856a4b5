"""Runs long work in an event loop in slices, between which other tasks run. Never waits for a set time."""

import asyncio
import time
from typing import TypeVar

from service.domain.steps import Steps

T = TypeVar("T")

SLICE_S = 0.001
"""Longest slice of work, unless a single step takes longer."""

TURNS_OF_OTHERS = 4
"""Iterations of the event loop between two slices. An answer takes some five, so long work delays it by one or two
slices."""


class Turns:
    """The current time slice. The first begins with the construction, each further one with `next`."""

    def __init__(self) -> None:
        self._end = time.perf_counter() + SLICE_S

    @property
    def over(self) -> bool:
        """Whether the time of the slice is used up."""
        return time.perf_counter() >= self._end

    async def next(self) -> None:
        """Lets all other ready tasks run for TURNS_OF_OTHERS iterations, then begins a slice."""
        for _ in range(TURNS_OF_OTHERS):
            await asyncio.sleep(0)
        self._end = time.perf_counter() + SLICE_S


async def in_turns(steps: Steps[T]) -> T:
    """Runs a computation in slices; returns its result."""
    turns = Turns()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if turns.over:
            await turns.next()
