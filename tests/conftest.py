"""What every test may ask for, and how a run is cut into workers. Fixtures live beside what they are about."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

pytest_plugins = ["tests.servers.fixtures", "tests.support.leaks", "tests.support.last_lines"]

# Time limits of single examples judge the machine, not the code; `timeout` bounds each test.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("suite"), max_examples=25)
settings.load_profile("suite")

MOST_WORKERS = 8
"""Each has a Redis of its own, and some tests start six servers more."""

LONGEST_FIRST = ("browser", "journeys", "deploy", "hostile", "service", "clients", "properties", "fuzz", "oracle")
"""Rooms in the order in which their files are handed out, the rest behind: a worker must not begin a long one last."""

PAGE = "tests/browser/"
"""One worker has them all: they share a browser and a system of processes, which take half a minute to start."""

RUNS = {
    "not exhaustive and not faults_long": "make test, each promise at least once",
    "not faults_long": "make test-all, all but the long fault run",
    "faults_long": "make faults, the long fault run",
}


def pytest_configure() -> None:
    """Lets Ctrl-C work in what tests start: a run in a shell's background has inherited that it is ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Two workers a core: journeys wait about as long as they work."""
    return min(2 * (os.cpu_count() or 1), MOST_WORKERS)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """By file, as `--dist loadfile` is, but for those of the page."""
    if config.option.dist != "loadfile":
        return None
    scheduler = LoadFileScheduling(config, log)
    scheduler._split_scope = _goes_together
    return scheduler


def _goes_together(nodeid: str) -> str:
    return PAGE if nodeid.startswith(PAGE) else nodeid.split("::")[0]


def pytest_report_header(config: pytest.Config) -> str:
    """Which of the named runs this is."""
    chosen = config.option.markexpr
    return f"run: {RUNS.get(chosen, f'tests that are {chosen}')}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts long rooms first, each room's files in their own order."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    room = item.nodeid.split("/")[1]
    return LONGEST_FIRST.index(room) if room in LONGEST_FIRST else len(LONGEST_FIRST)
