"""A well-behaved user who asks all the time, and how long each answer took. Judges nothing but failures."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.service.serving import ASKED, STREAM, Serving, headers_of
from tests.waiting import wait_until

COUNT = STREAM.removesuffix("/stream")

PAUSE_S = 0.01


class Neighbour:
    """Measures waits in milliseconds, phase by phase."""

    def __init__(self, service: Serving, user: str) -> None:
        self._service = service
        self._headers = headers_of(user)
        self._waits_ms: list[float] = []

    async def ask(self) -> None:
        """Asks for ever. Fails at the first answer that isn't good."""
        while True:
            began = time.perf_counter()
            answer = await self._service.client.get(COUNT, params=ASKED, headers=self._headers)
            assert answer.status_code == 200, answer.text
            self._waits_ms.append((time.perf_counter() - began) * 1_000)
            await asyncio.sleep(PAUSE_S)

    async def answered(self, times: int) -> None:
        """Returns once so many more answers have come."""
        until = len(self._waits_ms) + times
        await wait_until(lambda: len(self._waits_ms) >= until, 60, "the neighbour to be answered")

    def phase(self, name: str) -> str:
        """What was measured since the last phase, as a line for whoever reads the output."""
        waits, self._waits_ms = self._waits_ms, []
        cuts = statistics.quantiles(waits, n=100)
        return f"{name}: {len(waits)} answers, p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms"


@asynccontextmanager
async def neighbour(service: Serving, user: str = "ned") -> AsyncIterator[Neighbour]:
    """One that asks while the context is open; a failure of theirs ends it."""
    asking = Neighbour(service, user)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asking.ask())
        yield asking
        task.cancel()
