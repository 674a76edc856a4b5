"""What every test may ask for. Fixtures live beside what they are about."""

import signal

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.servers.fixtures", "tests.leaks"]

# Time limits of single examples judge the machine, not the code; `timeout` bounds each test.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_configure() -> None:
    """Lets Ctrl-C work in what tests start: a run in a shell's background has inherited that it is ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
