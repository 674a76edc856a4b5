"""A failed test shows the last lines that each process of the tests logged during it. Never fails a test itself."""

from collections.abc import Generator
from typing import Any

import pytest

from tests.servers.process import ServerProcess, started

LINES, CHARACTERS = 15, 400
"""Of each process: enough for a cause and a stack trace's end, short enough for five processes on a screen or two."""

ACCESS = '"event":"request"'
"""In the service's line about a good request: there are so many that they would push out everything else."""

LENGTHS = pytest.StashKey[dict[ServerProcess, int]]()
"""How much each process that runs longer than a test had logged before it."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Notes where each log stands, and afterwards forgets processes that have ended."""
    item.stash[LENGTHS] = {process: process.log.stat().st_size for process in started if process.log.exists()}
    finished = yield
    started[:] = [process for process in started if process.running]
    return finished


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds a section to a failure's report for each process that has logged something since the test began."""
    report = yield
    if report.failed:
        for process in started:
            if lines := _logged(process, item.stash[LENGTHS].get(process, 0)):
                report.sections.append((f"last lines of {process.name}", "\n".join(lines)))
    return report


def _logged(process: ServerProcess, since: int) -> list[str]:
    if not process.log.exists():
        return []
    with process.log.open("rb") as log:
        log.seek(since)
        lines = log.read().decode(errors="replace").splitlines()
    return [line[:CHARACTERS] for line in lines if line and ACCESS not in line][-LINES:]
