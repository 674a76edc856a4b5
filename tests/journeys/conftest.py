"""A system on the run's servers, for journeys that leave the servers alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.journeys.system import System, running_system
from tests.servers.choice import Choice
from tests.servers.topics import Topics


@pytest.fixture
def apache_kafka(kafka_choice: Choice) -> None:
    """For tests that wait for end offsets or for null keys: the embedded broker is careless with both."""
    if kafka_choice.way == "embedded":
        pytest.skip("needs Apache Kafka: the embedded broker's end offsets can be off, and it has no null keys")


@pytest.fixture
def realm_name() -> str:
    """The realm whose tokens the system's client carries; a module may have another one."""
    return "helpdesk"


@pytest.fixture
async def system(kafka: str, redis_db: str, topics: Topics, tmp_path: Path, realm_name: str) -> AsyncIterator[System]:
    """One consumer and one service, ready; at the end both have to go quietly."""
    async with running_system(kafka, redis_db, topics, tmp_path, realm=realm_name) as running:
        await running.start()
        yield running
        await running.stop()
