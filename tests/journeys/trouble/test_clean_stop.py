"""What a consumer leaves behind when it is told to stop: nothing that the next one has to wait for."""

import asyncio
from pathlib import Path

import pytest
import redis

from service.store import keys
from tests.journeys.programs.asking import Question, admin, realm
from tests.journeys.programs.catalogue_lines import event, saved_filter, tenant
from tests.journeys.programs.system import System, running_system
from tests.journeys.trouble.test_readiness import founded
from tests.servers.kafka.topics import Topics
from tests.servers.redis.redis_server import closing_client
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

BUCKETS = 8


def holders(client: redis.Redis) -> set[bytes]:
    """Who holds the leases now."""
    found = [client.get(keys.lease(bucket)) for bucket in range(BUCKETS)]
    return {bytes(holder) for holder in found if isinstance(holder, bytes)}


async def test_leases_are_given_back_and_the_other_consumer_takes_them(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_db, topics, tmp_path, BUCKETS=BUCKETS) as system:
        await system.start()
        await founded(system)
        first = system.consumers[0]
        with closing_client(redis_db) as client:
            (holder,) = holders(client)
            other = await system.start_consumer()
            assert holders(client) == {holder}
            await asyncio.to_thread(first.terminate)
            assert holder not in holders(client), "it is gone for good, and its leases would last for seconds more"

            def taken() -> bool:
                return len(holders(client)) == 1 and all(client.exists(keys.lease(bucket)) for bucket in range(BUCKETS))

            await wait_until(taken, 20, "the other consumer to take all of them")
            await system.restart(first)
            await asyncio.to_thread(other.terminate)
            await wait_until(taken, 20, "the restarted consumer to take all of them")
        await system.stop()


@pytest.mark.exhaustive
@pytest.mark.usefixtures("apache_kafka")
async def test_a_second_consumer_and_a_restart_find_everything_counted(system: System) -> None:
    mine = saved_filter("acme", "mine", {"field": "assignee", "op": "eq", "value": "@me"})
    await system.publish(realm("helpdesk"), tenant("acme"), mine)
    await system.publish_all(event("acme", f"INC{n}", 1, assignee=f"agent-{n % 3}") for n in range(300))
    question = Question("acme", admin("agent-1"), filter_ids=("all", "mine"))
    before = await system.reached(question, await system.ends())
    assert before.counts == {"all": 300, "mine": 100}
    first = system.consumers[0]
    await asyncio.to_thread(first.terminate)
    await system.publish(event("acme", "INC1", 2, assignee="agent-2"))
    await asyncio.gather(system.restart(first), system.start_consumer())
    after = await system.reached(question, await system.ends())
    assert after.counts == {"all": 300, "mine": 99}
    assert (after.epoch, after.version) == (before.epoch, before.version + 1)
    applied = [program.metric("events_total") for program in system.consumers]
    assert sum(applied) == 1, "what was counted before is not even looked at again"
