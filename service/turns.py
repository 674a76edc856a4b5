"""Runs long computations of an event loop in time slices, one at a time. Never waits for a set time."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from service.domain.steps import Steps

T = TypeVar("T")

SLICE_S = 0.0005
"""Longest slice of work, unless a single step takes longer."""

TURNS_OF_OTHERS = 4
"""Iterations of the event loop from one slice to the next. An answer takes some five, so all long computations together
delay it by one or two slices."""


def one_per_loop(new: Callable[[], T]) -> Callable[[], T]:
    """Returns a function that gives the running event loop's own object, which `new` makes at the first call."""
    made: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def of_running_loop() -> T:
        loop = asyncio.get_running_loop()
        found = made.get(loop)
        if found is None:
            found = made[loop] = new()
        return found

    return of_running_loop


class Slices:
    """The queue of one event loop for time slices, first come, first served.

    However many computations wait, the next slice begins TURNS_OF_OTHERS iterations of the loop after the last one.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._resting = False

    def begin(self) -> bool:
        """Takes a slice if one may begin at once; returns whether it did."""
        if self._resting:
            return False
        self._rest()
        return True

    def next(self) -> "asyncio.Future[None]":
        """Returns a future that is done when the caller's slice begins. Cancelling it gives the slice up."""
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        if not self._resting:
            self._rest()
        return place

    def _rest(self) -> None:
        self._resting = True
        asyncio.get_running_loop().call_soon(self._turn, TURNS_OF_OTHERS)

    def _turn(self, left: int) -> None:
        if left > 1:
            asyncio.get_running_loop().call_soon(self._turn, left - 1)
            return
        self._resting = False
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)  # it goes on in the next iteration
                self._rest()
                return


slices = one_per_loop(Slices)


class Turns:
    """The current time slice. The first begins with the construction, each further one with `next`."""

    def __init__(self) -> None:
        self._end = time.perf_counter() + SLICE_S

    @property
    def over(self) -> bool:
        """Whether the time of the slice is used up."""
        return time.perf_counter() >= self._end

    async def next(self) -> None:
        """Waits for the next slice, at least TURNS_OF_OTHERS iterations of the event loop, then begins it."""
        await slices().next()
        self._end = time.perf_counter() + SLICE_S


async def in_turns(steps: Steps[T], *, from_first: bool = False) -> T:
    """Runs a computation in slices; returns its result. With `from_first` even the first slice waits for its turn."""
    turns = Turns()
    if from_first:
        await turns.next()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if turns.over:
            await turns.next()
