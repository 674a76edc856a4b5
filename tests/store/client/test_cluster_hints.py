"""Hints in a real cluster: any server hears of every change, and another one is listened to when it is gone."""

import asyncio
from functools import partial

import pytest

from service.store.client import hints
from service.store.ports.errors import StoreUnavailable
from service.store.redis.store import RedisStore, open_store
from tests.servers.redis.redis_cluster import RedisCluster, asked
from tests.servers.redis.redis_server import RedisServer
from tests.store.client.test_hints import SOON_S, listening
from tests.store.contract import BUCKETS, stored
from tests.support.waiting import wait_until

TIMEOUT_S = 5.0
NAMES = [f"tenant-{number}" for number in range(12)]


def listened_to(cluster: RedisCluster) -> list[RedisServer]:
    """The servers that somebody has subscribed at."""
    running = [node for node in cluster.nodes if node.running]
    return [node for node in running if dict([asked(node, "PUBSUB NUMSUB", "tc:hints")[0]])[b"tc:hints"]]


async def test_a_change_at_any_master_is_heard_at_one_server(redis_cluster_db: RedisCluster) -> None:
    url = redis_cluster_db.url
    async with listening(url) as heard, open_store(url, BUCKETS, TIMEOUT_S) as store:
        assert len(listened_to(redis_cluster_db)) == 1
        assert len({*(await store.runs()).buckets}) > 1, "not all of it is said at one server"
        for name in NAMES:
            assert await store.put_tenant(name, None, stored(tenant=name))
        await wait_until(lambda: len(heard.tenants) >= len(NAMES), SOON_S, "the hints")
        assert sorted(heard.tenants) == sorted(NAMES)
        assert heard.gaps == 1


async def test_when_the_server_listened_to_is_gone_another_is_and_the_gap_is_said(
    redis_cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "RETRY_S", 0.01)
    url = redis_cluster.url
    async with listening(url) as heard, open_store(url, BUCKETS, TIMEOUT_S) as store:
        for gone in range(1, 3):
            (server,) = listened_to(redis_cluster)
            server.kill()
            await wait_until(partial(heard.had, gone + 1), SOON_S, "another subscription")
            assert listened_to(redis_cluster) not in ([], [server])
            await asyncio.to_thread(server.start)
            await asyncio.to_thread(redis_cluster.rejoined)
            name = NAMES[gone]
            await wait_until(partial(put, store, name), SOON_S, f"{name} to be written")
            await wait_until(partial(heard.tenants.count, name), SOON_S, f"a hint about {name}")


async def put(store: RedisStore, name: str) -> bool:
    """Whether the tenant is there, perhaps by a call that was in doubt."""
    try:
        return await store.put_tenant(name, None, stored(tenant=name)) or await store.tenant(name) is not None
    except StoreUnavailable:
        return False
