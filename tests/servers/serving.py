"""The chosen servers, running for as long as a `with` lasts. Chooses nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.choice import Choice
from tests.servers.containers import kafka_container, redis_container
from tests.servers.kafka.kafka_broker import KafkaBroker
from tests.servers.kafka.kafka_jars import fetch_jars
from tests.servers.kafka.tansu_broker import TansuBroker
from tests.servers.redis.redis_server import RedisServer


@contextmanager
def serve_redis(choice: Choice, directory: Path) -> Iterator[str]:
    """The URL of a running Redis; a process keeps its files in `directory`."""
    if choice.way == "given":
        yield choice.address
    elif choice.way == "container":
        with redis_container() as url:
            yield url
    else:
        assert choice.binary is not None
        with RedisServer(choice.binary, directory) as server:
            yield server.url


@contextmanager
def serve_kafka(choice: Choice, directory: Path) -> Iterator[str]:
    """The bootstrap address of a running Kafka; a process keeps its files in `directory`."""
    if choice.way == "given":
        yield choice.address
    elif choice.way == "container":
        with kafka_container() as bootstrap:
            yield bootstrap
    elif choice.way == "process":
        with KafkaBroker(fetch_jars(), directory) as broker:
            yield broker.bootstrap
    else:
        assert choice.binary is not None
        with TansuBroker(choice.binary, directory) as tansu:
            yield tansu.bootstrap
