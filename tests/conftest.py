"""What every test may ask for. Fixtures live beside what they are about."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.servers.fixtures", "tests.leaks"]

# Time limits of single examples judge the machine, not the code; `timeout` bounds each test.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
