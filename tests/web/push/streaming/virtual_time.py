"""An event loop whose time jumps to the next timer as soon as nothing else is to be done. Never waits for a clock.

For code that is all in this process: minutes of heartbeats pass in milliseconds, and always in the same order.
"""

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

from tests.web.world import SetClock


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0 and advances only by jumps."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds


class _Jumping(selectors.DefaultSelector):
    """Has the loop jump over the time it would wait, unless it waits for nothing but I/O."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self._loop.jump(timeout)
        return ready


class LoopClock(SetClock):
    """A wall clock that goes with the running loop, from `now_us` on."""

    def now_us(self) -> int:
        return self.now + round(asyncio.get_running_loop().time() * 1_000_000)


def loop_factories() -> Mapping[str, Any]:
    """For pytest-asyncio: the only loop of these tests."""
    return {"virtual time": VirtualTimeLoop}
