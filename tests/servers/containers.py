"""Redis and Kafka as containers, where an engine answers and has the images. Never pulls an image."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound
from docker.utils import parse_host
from testcontainers.community.redis import RedisContainer
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.servers.ports import free_port

REDIS_IMAGE = "redis:8.2"
KAFKA_IMAGE = "apache/kafka:4.3.0"
ENGINE_S = 5  # an engine on this machine answers in milliseconds
START_S = 50  # 0.4 s and 3.4 s on a quiet machine
CONTROLLER_PORT = 9093  # inside the container only


def images_here(*images: str) -> bool:
    """Whether an engine answers and has all `images` locally."""
    if not _engine_listens():
        return False
    try:
        client = docker.from_env(timeout=ENGINE_S)
    except DockerException:  # something listens there, but it isn't an engine for us
        return False
    try:
        for image in images:
            client.images.get(image)
    except (ImageNotFound, DockerException):
        return False
    finally:
        client.close()
    return True


def _engine_listens() -> bool:
    # Asked before the client is: it leaks its socket where the file is there but the engine is gone.
    scheme, _, path = str(parse_host(os.environ.get("DOCKER_HOST") or None)).partition("://")
    if scheme != "http+unix":
        return True  # a remote engine: only the client knows how
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ENGINE_S)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


@contextmanager
def redis_container() -> Iterator[str]:
    """A Redis that never evicts; its URL."""
    _configure()
    container = RedisContainer(REDIS_IMAGE).with_command(
        ["redis-server", "--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"]
    )
    with container:
        yield f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"


@contextmanager
def kafka_container() -> Iterator[str]:
    """One Kafka broker; its bootstrap address."""
    _configure()
    # The broker tells clients where it is, and calls itself there: the port is the same inside and outside.
    port = free_port()
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    host = container.get_docker_client().host()
    container.with_envs(**_kafka_settings(host, port))
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(START_S))
    with container:
        yield f"{host}:{port}"


def _kafka_settings(host: str, port: int) -> dict[str, str]:
    # The whole set: giving any of them drops the image's own defaults.
    settings = {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "LISTENERS": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:{CONTROLLER_PORT}",
        "ADVERTISED_LISTENERS": f"PLAINTEXT://{host}:{port}",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "CONTROLLER_QUORUM_VOTERS": f"1@127.0.0.1:{CONTROLLER_PORT}",
        "LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "OFFSETS_TOPIC_NUM_PARTITIONS": "4",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
        "HEAP_OPTS": "-Xmx512m",
    }
    return {f"KAFKA_{name}": value for name, value in settings.items()}


def _configure() -> None:
    # The reaper is one more image; where it isn't at hand, the run itself removes its containers.
    if not images_here(testcontainers_config.ryuk_image):
        testcontainers_config.ryuk_disabled = True
    # Inside a container that runs its own engine, mapped ports are on loopback, not at the gateway.
    if Path("/.dockerenv").exists() and "TESTCONTAINERS_CONNECTION_MODE" not in os.environ:
        testcontainers_config.connection_mode_override = ConnectionMode.docker_host
