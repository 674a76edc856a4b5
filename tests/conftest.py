"""What every test may ask for. Fixtures live beside what they are about."""

pytest_plugins = ["tests.servers.fixtures", "tests.leaks"]
