"""A well-behaved neighbour beside an attack: it asks all the time, and how long each wait took is measured by phases.

Every attack runs inside `beside`. What makes it fail is an answer that isn't right, and a wait beyond a generous limit
for a busy machine; how the waits compare is printed for whoever reads the output (`pytest -s`).
"""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

from tests.service.process.serving import ASKED, STREAM, Serving, headers_of
from tests.support.waiting import wait_until

T = TypeVar("T")

COUNT = STREAM.removesuffix("/stream")

PAUSE_S = 0.01

ENOUGH = 100
"""Waits of a phase, so that one in a hundred is seen."""

PATIENCE_S = 60.0
"""For as many answers on any machine."""

LONGEST_MS = 5_000.0
"""No single wait may be longer: far above what a busy machine takes, far below what a blocked server would cost."""


class Phase(NamedTuple):
    """What was measured in one phase, in milliseconds."""

    name: str
    waits: int
    p50: float
    p99: float
    longest: float

    load: float
    """Of the machine in the last minute: what was measured on a busy one says little."""

    def __str__(self) -> str:
        times = f"p50 {self.p50:6.1f} ms, p99 {self.p99:6.1f} ms, longest {self.longest:6.1f} ms"
        return f"{self.name:6} {self.waits:5} waits, {times}, load {self.load:.1f}"


class Neighbour:
    """Waits again and again for one good thing to happen, and measures how long that takes."""

    def __init__(self, once: Callable[[], Awaitable[None]]) -> None:
        """`once` waits for it once, and fails where it goes wrong."""
        self._once = once
        self._waits_ms: list[float] = []

    async def ask(self) -> None:
        """For ever."""
        while True:
            began = time.perf_counter()
            await self._once()
            self._waits_ms.append((time.perf_counter() - began) * 1_000)
            await asyncio.sleep(PAUSE_S)

    async def answered(self, times: int) -> None:
        """Returns once so many more waits are over."""
        until = len(self._waits_ms) + times
        await wait_until(lambda: len(self._waits_ms) >= until, PATIENCE_S, "the neighbour to be answered")

    def phase(self, name: str) -> Phase:
        """What was measured since the last phase."""
        waits, self._waits_ms = self._waits_ms, []
        cuts = statistics.quantiles(waits, n=100)
        return Phase(name, len(waits), cuts[49], cuts[98], max(waits), os.getloadavg()[0])


def _test_name() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("::")[2].removesuffix(" (call)")


@asynccontextmanager
async def neighbour_of(once: Callable[[], Awaitable[None]]) -> AsyncIterator[Neighbour]:
    """One that waits for it while the context is open; a failure ends the context."""
    asking = Neighbour(once)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asking.ask())
        yield asking
        task.cancel()


@asynccontextmanager
async def neighbour(service: Serving, user: str = "ned") -> AsyncIterator[Neighbour]:
    """One who asks a service for counts."""
    headers = headers_of(user)

    async def answered() -> None:
        answer = await service.client.get(COUNT, params=ASKED, headers=headers)
        assert answer.status_code == 200, answer.text

    async with neighbour_of(answered) as asking:
        yield asking


async def beside(asking: Neighbour, attack: Callable[[], Coroutine[Any, Any, T]], waits: int = ENOUGH) -> T:
    """What the attack gives. The neighbour is measured before it, during it, and after it.

    The attack is over when it returns; the phase during it has at least as many waits as the others.
    """
    await asking.answered(waits)
    phases = [asking.phase("before")]
    under_way = asyncio.create_task(attack())
    try:
        await asking.answered(waits)
        given = await under_way
    finally:
        under_way.cancel()
        await asyncio.gather(under_way, return_exceptions=True)
    phases.append(asking.phase("during"))
    await asking.answered(waits)
    phases.append(asking.phase("after"))
    for phase in phases:
        print(f"{_test_name()}: {phase}")
    for phase in phases:
        assert phase.longest < LONGEST_MS, str(phase)
    return given
