"""A system on the run's servers, for journeys that leave the servers alone: a test's own, or one for a whole file."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.journeys.programs.system import System, running_system
from tests.servers.choice import Choice
from tests.servers.kafka.topics import Topics, new_topics
from tests.servers.redis.redis_server import closing_client


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


@pytest.fixture(scope="module")
def launched_system(kafka: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One consumer and one service for all tests of a file; none of them may use `redis_db`, which empties the same."""
    with closing_client(redis_url) as client:
        client.flushdb()
    system = System(kafka, redis_url, new_topics(), tmp_path_factory.mktemp("system"), {}, "helpdesk")
    try:
        system.launch()
        yield system
        system.terminate()
    finally:
        system.kill()
        with closing_client(redis_url) as client:
            client.flushdb()


@pytest.fixture
async def shared_system(launched_system: System) -> AsyncIterator[System]:
    """The file's system, which other tests have published to: counts are those of `acme` alone."""
    async with launched_system.opened():
        yield launched_system


@pytest.fixture
def acme() -> str:
    """A tenant that no other test has."""
    return f"acme-{uuid.uuid4().hex[:8]}"
