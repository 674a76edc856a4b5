"""Stale is said: whatever freezes or dies, readiness and freshness say so within ten seconds, and take it back."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.journeys.programs.asking import NotCounted, realm
from tests.journeys.programs.catalogue_lines import event, tenant
from tests.journeys.programs.program import LOST_SESSION, Program
from tests.journeys.programs.system import System, running_system
from tests.servers.kafka.kafka_broker import KafkaBroker
from tests.servers.kafka.tansu_broker import TansuBroker, find_tansu
from tests.servers.kafka.topics import Topics
from tests.servers.redis.redis_server import RedisServer
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

SAID_WITHIN_S = 10.0
"""What the contract promises."""

BACK_WITHIN_S = 20.0
"""A group needs a session to notice who is gone, and a round to share the partitions again."""


async def founded(system: System) -> None:
    """A tenant with a ticket, counted and fresh."""
    await system.publish(realm("helpdesk"), tenant("acme"), event("acme", "INC1", 1))
    assert (await system.settled("acme")).counts == {"all": 1}
    await wait_until(lambda: fresh(system), SAID_WITHIN_S, "fresh counts")


async def fresh(system: System) -> bool:
    return (await system.ask.all_of("acme")).fresh


async def red(program: Program) -> bool:
    return (await asyncio.to_thread(program.readiness))[0] == httpx.codes.SERVICE_UNAVAILABLE


async def green(program: Program) -> bool:
    return await asyncio.to_thread(program.ready)


async def within(since: float, said: Callable[[], Awaitable[bool]], what: str) -> None:
    """Fails unless `said` comes true no later than 10 s after `since`."""
    await wait_until(said, since + SAID_WITHIN_S - time.monotonic(), what)


async def test_a_frozen_redis_turns_both_readyz_red_and_its_return_turns_them_green(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_process.url, topics, tmp_path) as system:
        await system.start()
        await founded(system)
        consumer, service = system.consumers[0], system.service
        assert service is not None
        redis_process.pause()
        frozen = time.monotonic()
        await asyncio.gather(
            within(frozen, lambda: red(consumer), "the consumer's readyz to turn red"),
            within(frozen, lambda: red(service), "the service's readyz to turn red"),
        )
        with pytest.raises(NotCounted) as refusal:
            await system.ask.all_of("acme")
        assert refusal.value.code == "COUNTS_UNAVAILABLE"
        await system.publish(event("acme", "INC2", 1))
        redis_process.thaw()
        await wait_until(lambda: green(consumer), BACK_WITHIN_S, "the consumer to be ready again")
        await wait_until(lambda: green(service), BACK_WITHIN_S, "the service to be ready again")
        assert (await system.settled("acme")).counts == {"all": 2}
        await wait_until(lambda: fresh(system), SAID_WITHIN_S, "fresh counts")
        await system.stop()


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.exhaustive)])
def own_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TansuBroker | KafkaBroker]:
    """A broker to freeze. All are alike to clients while they are silent, and Apache's takes 10 s of CPU."""
    tansu = find_tansu()
    if request.param == "apache" or tansu is None:
        yield request.getfixturevalue("kafka_broker")
    else:
        with TansuBroker(tansu.path, tmp_path / "tansu") as broker:
            yield broker


async def test_a_frozen_broker_turns_the_consumer_red_and_the_counts_stale_until_it_is_back(
    own_broker: TansuBroker | KafkaBroker, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(own_broker.bootstrap, redis_db, topics, tmp_path) as system:
        await system.start()
        await founded(system)
        consumer = system.consumers[0]
        own_broker.pause()
        frozen = time.monotonic()

        async def stale() -> bool:
            return not await fresh(system)

        try:
            await asyncio.gather(
                within(frozen, lambda: red(consumer), "the consumer's readyz to turn red"),
                within(frozen, stale, "X-Counts-Fresh to turn false"),
            )
        finally:
            own_broker.thaw()
        await wait_until(lambda: green(consumer), BACK_WITHIN_S, "the consumer to be ready again")
        await wait_until(lambda: fresh(system), BACK_WITHIN_S, "fresh counts")
        await system.publish(event("acme", "INC2", 1))
        assert (await system.settled("acme")).counts == {"all": 2}
        await system.stop(expected_errors=LOST_SESSION)


async def test_a_killed_consumer_turns_the_counts_stale_and_its_successor_turns_them_fresh(system: System) -> None:
    await founded(system)
    consumer = system.consumers[0]
    consumer.kill()
    killed = time.monotonic()

    async def stale() -> bool:
        return not await fresh(system)

    await within(killed, stale, "X-Counts-Fresh to turn false")
    await system.publish(event("acme", "INC2", 1))
    assert (await system.ask.all_of("acme")).counts == {"all": 1}
    await system.restart(consumer)
    assert (await system.settled("acme")).counts == {"all": 2}
    await wait_until(lambda: fresh(system), BACK_WITHIN_S, "fresh counts")
