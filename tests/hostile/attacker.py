"""Runs an attack as a process of its own beside a neighbour. See `attacks` for what attacks there are."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.hostile.neighbour import ENOUGH, Neighbour, beside

REPORT_S = 300.0
"""For one round of any attack on any machine."""


class Attacker:
    """The process. It attacks from `begin` to `end`."""

    def __init__(self, process: asyncio.subprocess.Process, arguments: dict[str, Any]) -> None:
        self._process = process
        self._arguments = arguments

    async def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._arguments).encode() + b"\n")
        await self._process.stdin.drain()

    async def report(self) -> Any:
        """What it saw in its next round."""
        assert self._process.stdout is not None
        async with asyncio.timeout(REPORT_S):
            line = await self._process.stdout.readline()
        assert line, "it has ended by itself"
        return json.loads(line)

    async def rounds(self, asking: Neighbour) -> list[Any]:
        """Attacks until the neighbour has had enough answers; what each round saw."""
        await self.begin()
        enough = asyncio.create_task(asking.answered(ENOUGH))
        reports: list[Any] = []
        while not (enough.done() and reports):
            reports.append(await self.report())
        await enough
        await self.end()
        return reports

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def attacker(attack: str, url: str, **arguments: Any) -> AsyncIterator[Attacker]:
    """One that is ready to begin."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.hostile.attacks", attack, url,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    one = Attacker(process, arguments)
    try:
        assert await one.report() == "ready"
        yield one
    finally:
        await one.end()


async def attacked(asking: Neighbour, attack: str, url: str, **arguments: Any) -> list[Any]:
    """What each round of the attack saw. The neighbour is measured before it, during it, and after it."""
    async with attacker(attack, url, **arguments) as one:
        return await beside(asking, lambda: one.rounds(asking))
