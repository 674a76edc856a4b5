"""A run waits for what it needs to have happened, however slow or quick the machine is. No server is needed."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from tests.journeys.faults.runs.run import BACKLOG, FEWEST_POSITIONS, FaultRun
from tests.journeys.programs.asking import Snapshot


class Applied:
    """A system whose consumers have applied the first backlogs before anybody looks."""

    def __init__(self, too_quick: int) -> None:
        self.too_quick = too_quick
        self.sent: list[int] = []

    async def burst(self, records: int) -> None:
        self.sent.append(records)

    async def flush(self) -> None:
        """All is acknowledged."""

    async def ends(self) -> dict[int, int]:
        return {0: 100}

    async def count(self, _question: object) -> Snapshot:
        done = len(self.sent) <= self.too_quick
        return cast("Snapshot", SimpleNamespace(reaches=lambda ends: done))


def a_run(load: Any, watch: Any = None) -> FaultRun:
    load.tenants = [SimpleNamespace(name="acme")]
    load.ask = load
    return FaultRun(load, load, watch)


async def test_a_backlog_that_was_applied_already_is_followed_by_another() -> None:
    applied = Applied(too_quick=2)
    await a_run(applied).backlog()
    assert applied.sent == [BACKLOG] * 3


async def test_a_run_goes_on_until_the_watch_has_seen_enough() -> None:
    watch = SimpleNamespace(snapshots=[])
    seeing = asyncio.create_task(a_run(Applied(0), watch).seen_moving())
    for position in range(FEWEST_POSITIONS):
        await asyncio.sleep(0.03)
        assert not seeing.done()
        watch.snapshots += [SimpleNamespace(positions={0: position})] * 2
    await seeing
