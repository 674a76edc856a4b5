"""Another publisher's open transaction holds records up that nobody can read yet: that is said, and passes with it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from tests.journeys.programs.asking import realm
from tests.journeys.programs.catalogue_lines import event, tenant
from tests.journeys.programs.system import System, running_system
from tests.journeys.trouble.test_readiness import BACK_WITHIN_S, SAID_WITHIN_S, founded, fresh, green, within
from tests.servers.kafka.topics import Topics
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120), pytest.mark.usefixtures("apache_kafka")]


@asynccontextmanager
async def transactional(kafka: str, name: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=name)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def reason(system: System) -> str:
    """Why the consumer isn't ready; "" while it is."""
    status, text = await asyncio.to_thread(system.consumers[0].readiness)
    return text if status == httpx.codes.SERVICE_UNAVAILABLE else ""


@pytest.mark.parametrize(
    "committed",
    [
        pytest.param(True, id="committed"),
        pytest.param(False, id="aborted", marks=pytest.mark.exhaustive),
    ],
)
async def test_records_behind_it_make_the_counts_stale_until_it_ends(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path, committed: bool
) -> None:
    async with running_system(kafka, redis_db, topics, tmp_path, PARTITIONS=1) as system:
        await system.start()
        await founded(system)
        async with transactional(kafka, f"{topics.events}-somebody") as somebody:
            await somebody.begin_transaction()
            held = json.dumps(event("acme", "INC2", 1)).encode()
            await somebody.send_and_wait(topics.events, held, partition=0)
            await system.publish(event("acme", "INC3", 1))
            behind = time.monotonic()

            async def stale() -> bool:
                return not await fresh(system)

            async def said() -> bool:
                return f"open transaction of a publisher holds up {topics.events} partition 0" in await reason(system)

            await asyncio.gather(
                within(behind, stale, "X-Counts-Fresh to turn false"),
                within(behind, said, "the consumer's readyz to name the transaction"),
            )
            assert system.consumers[0].metric("oldest_unapplied_seconds") > 5
            assert (await system.ask.all_of("acme")).counts == {"all": 1}, "neither can be read yet"
            await (somebody.commit_transaction() if committed else somebody.abort_transaction())
        assert (await system.settled("acme")).counts == {"all": 3 if committed else 2}
        await wait_until(lambda: fresh(system), BACK_WITHIN_S, "fresh counts")
        await wait_until(lambda: green(system.consumers[0]), BACK_WITHIN_S, "the consumer to be ready again")
        await system.stop()


async def test_catalogue_entries_behind_it_are_waited_for_and_named(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_db, topics, tmp_path, PARTITIONS=1) as system:
        await system.start()
        await founded(system)
        async with transactional(kafka, f"{topics.catalogue}-somebody") as somebody:
            await somebody.begin_transaction()
            value = json.dumps(realm("other")["value"]).encode()
            await somebody.send_and_wait(topics.catalogue, value, key=b"realm/other", partition=0)
            await system.publish(tenant("globex"))

            async def said() -> bool:
                return f"holds up {topics.catalogue} partition 0" in await reason(system)

            await within(time.monotonic(), said, "the consumer's readyz to name the transaction")
            assert await fresh(system), "events are read as ever"
            await somebody.commit_transaction()
        await system.publish(event("globex", "INC1", 1))
        assert (await system.settled("globex")).counts == {"all": 1}
        await wait_until(lambda: green(system.consumers[0]), SAID_WITHIN_S, "the consumer to be ready again")
        await system.stop()
