"""The servers of a run of mixed faults, and the links by which consumers, service and publisher reach them.

Each consumer has links of its own, so that one may be cut off while the other goes on. An address that moves, as one
does when a replica is promoted, is a link that leads elsewhere. Does no fault itself.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from service.store import keys
from tests.servers.kafka.kafka_broker import KafkaBroker
from tests.servers.kafka.kafka_doors import Door, doors_of
from tests.servers.kafka.kafka_node import new_nodes
from tests.servers.link import Link
from tests.servers.ports import HOST, free_ports
from tests.servers.redis.redis_server import RedisServer

BUCKETS = 16
TO_REDIS = ("first", "second", "third", "service")
TO_KAFKA = ("first", "second", "publisher")
HEAP = "320m"


class Ground:
    """Links by who uses them, and the Redis that serves now."""

    def __init__(self, directory: Path, redis_binary: Path) -> None:
        self.directory = directory
        self.to_redis = {name: Link() for name in TO_REDIS}
        self.to_kafka = {name: Link() for name in TO_KAFKA}
        self._binary = redis_binary
        self._redises: list[RedisServer] = []

    @property
    def redis(self) -> RedisServer:
        """The one that serves."""
        return self._redises[-1]

    def redis_url(self, who: str) -> str:
        """Where this one finds Redis, whichever serves."""
        return f"redis://{HOST}:{self.to_redis[who].port}/0"

    def kafka(self, who: str) -> str:
        """Where this one finds Kafka."""
        return f"{HOST}:{self.to_kafka[who].port}"

    def another_redis(self) -> RedisServer:
        """One more, not started yet; nobody is led to it."""
        return RedisServer(self._binary, self.directory / f"redis-{len(self._redises)}")

    def serve(self, redis: RedisServer) -> None:
        """From now on all links lead to this one."""
        self._redises.append(redis)
        for link in self.to_redis.values():
            link.lead_to(redis.port)

    def close(self) -> None:
        """Ends every Redis."""
        for redis in self._redises:
            redis.kill()


def applied(redis: RedisServer) -> int:
    """How far the positions in this Redis are, all of them added up."""
    with redis.client() as client:
        states: list[dict[Any, Any]] = [client.hgetall(keys.state(bucket)) for bucket in range(BUCKETS)]
    return sum(int(value) for state in states for name, value in state.items() if name.startswith(b"p:"))


@asynccontextmanager
async def redis_ground(directory: Path, redis_binary: Path) -> AsyncIterator[Ground]:
    """A running Redis behind links; those to Kafka lead nowhere yet."""
    ground = Ground(directory, redis_binary)
    async with AsyncExitStack() as stack:
        for link in (*ground.to_redis.values(), *ground.to_kafka.values()):
            await stack.enter_async_context(link)
        stack.callback(ground.close)
        redis = ground.another_redis()
        await asyncio.to_thread(redis.start)
        ground.serve(redis)
        yield ground


@asynccontextmanager
async def linked_broker(ground: Ground, jars: Path) -> AsyncIterator[KafkaBroker]:
    """A running broker with a door for each link to Kafka, and one without."""
    (node,) = new_nodes(1)
    ports = free_ports(len(ground.to_kafka))
    doors = tuple(
        Door(who.upper(), port, link.port) for (who, link), port in zip(ground.to_kafka.items(), ports, strict=True)
    )
    for link, port in zip(ground.to_kafka.values(), ports, strict=True):
        link.lead_to(port)
    broker = KafkaBroker(jars, ground.directory / "kafka", nodes=(node,), heap=HEAP, settings=doors_of(node, doors))
    try:
        await asyncio.to_thread(broker.start)
        yield broker
    finally:
        await asyncio.to_thread(broker.kill)
