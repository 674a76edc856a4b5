"""What every test may ask for. Fixtures live beside what they are about."""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.servers.fixtures", "tests.leaks"]

# Time limits of single examples judge the machine, not the code; `timeout` bounds each test.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

RESULT = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remembers the result for `pytest_unconfigure`."""
    session.config.stash[RESULT] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends without tearing the interpreter down, once everything is said and every server is ended.

    msgspec (0.19 to 0.22) sometimes crashes while its type information is freed there, and a crash would hide the
    result that was just printed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if RESULT in config.stash:
        os._exit(config.stash[RESULT])
