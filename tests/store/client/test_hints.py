"""Hints on a real Redis: heard after each change, said to have a gap after each subscription, and never relied on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import redis.asyncio

from service.store import keys
from service.store.client import hints
from service.store.redis.store import RedisStore, open_store
from tests.servers.link import Link
from tests.servers.redis.redis_server import RedisServer, closing_client
from tests.store.contract import BUCKETS, NEIGHBOUR, TENANT, applied, everyone, reaching, stored, tenant_batch
from tests.support.waiting import wait_until

SOON_S = 5.0

SHORT_S = 0.1
"""Silence that a test has patience for."""
LIVELY_S = 0.5
"""What any machine answers within."""


class Heard:
    """What a listener was told."""

    def __init__(self) -> None:
        self.tenants: list[str] = []
        self.gaps = 0

    def gap(self) -> None:
        self.gaps += 1

    def had(self, gaps: int) -> bool:
        return self.gaps >= gaps


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Heard]:
    """Listens until the context ends, from its first subscription on."""
    heard = Heard()
    task = asyncio.create_task(hints.listen(url, heard.tenants.append, heard.gap))
    try:
        await wait_until(lambda: heard.gaps or task.done(), SOON_S, "the first subscription")
        yield heard
        assert not task.done(), "a listener never ends by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_each_change_of_a_tenant_is_heard_and_nothing_else(redis_store: RedisStore, redis_db: str) -> None:
    async with listening(redis_db) as heard:
        assert await redis_store.put_tenant(NEIGHBOUR, None, stored(tenant=NEIGHBOUR))
        await applied(redis_store, progress=reaching(1))  # nothing that anybody counts
        await applied(redis_store, tenant_batch(everyone(c0=1)), progress=reaching(2))
        assert await redis_store.put_tenant(TENANT, "t1", stored("t2", version=2))
        assert await redis_store.drop_tenant(NEIGHBOUR, "t1")
        expected = [NEIGHBOUR, TENANT, TENANT, NEIGHBOUR]
        await wait_until(lambda: len(heard.tenants) >= len(expected), SOON_S, "the hints")
        assert heard.tenants == expected
        assert heard.gaps == 1


async def test_a_killed_subscription_is_made_again_and_said_to_have_a_gap(
    redis_store: RedisStore, redis_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "RETRY_S", 0.01)
    async with listening(redis_db) as heard:
        for times in range(2, 4):
            with closing_client(redis_db) as client:
                assert client.client_kill_filter(_type="pubsub") == 1
            await wait_until(partial(heard.had, times), SOON_S, "another subscription")
        await applied(redis_store, tenant_batch(everyone(c0=1)), progress=reaching(1))
        await wait_until(lambda: heard.tenants, SOON_S, "a hint by the new subscription")


async def test_a_link_that_falls_silent_is_given_up(
    redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "SILENCE_S", SHORT_S)
    monkeypatch.setattr(hints, "RETRY_S", 0.01)
    problems: list[str] = []
    monkeypatch.setattr(hints.log, "warning", lambda event, problem: problems.append(problem))
    async with listening(redis_process.url) as heard:
        redis_process.pause()
        try:
            await wait_until(lambda: problems, SOON_S, "the silence to be noticed")
            assert heard.gaps == 1
        finally:
            redis_process.thaw()
        await wait_until(lambda: heard.gaps > 1, SOON_S, "another subscription")
        async with open_store(redis_process.url, BUCKETS, SOON_S) as store:
            assert await store.put_tenant(TENANT, None, stored())
        await wait_until(lambda: heard.tenants, SOON_S, "a hint by the new subscription")
    assert "silent" in problems[0]


async def test_a_link_that_is_made_again_and_says_nothing_is_given_up_too(
    redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "SILENCE_S", SHORT_S)
    monkeypatch.setattr(hints, "RETRY_S", 0.01)
    async with Link() as link:
        link.lead_to(redis_process.port)
        async with listening(f"redis://127.0.0.1:{link.port}/0") as heard:
            link.black_hole()
            link.lead_to(redis_process.port)  # ends the subscription; what redis-py makes in its place hangs
            await wait_until(lambda: len(link._carried) >= 4, SOON_S, "several tries to come through")
            link.heal()
            await wait_until(lambda: heard.gaps > 1, SOON_S, "another subscription")


async def test_silence_alone_is_no_fault(redis_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "SILENCE_S", LIVELY_S)
    async with listening(redis_db) as heard, redis.asyncio.from_url(redis_db) as client:

        async def pings() -> int:
            return int((await client.info("commandstats")).get("cmdstat_ping", {}).get("calls", 0))

        before = await pings()

        async def looked() -> bool:
            return await pings() > before + 3

        await wait_until(looked, 20 * LIVELY_S, "several looks at the link")
        assert heard.gaps == 1


async def test_a_listener_ends_when_it_is_told_to_whatever_it_does(
    redis_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "SILENCE_S", 0.001)
    monkeypatch.setattr(hints, "RETRY_S", 0.0)
    monkeypatch.setattr(hints.log, "warning", lambda *_, **__: None)
    for turns in range(200):
        task = asyncio.create_task(hints.listen(redis_db, lambda _: None, lambda: None))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=SOON_S)
        assert done, f"a cancellation was lost after {turns} turns"


async def test_a_store_that_is_away_is_waited_for(redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "RETRY_S", 0.01)
    async with listening(redis_process.url) as heard:
        redis_process.kill()
        redis_process.start()
        await wait_until(lambda: heard.gaps > 1, SOON_S, "another subscription")
        async with open_store(redis_process.url, BUCKETS, SOON_S) as store:
            assert await store.put_tenant(TENANT, None, stored())
        await wait_until(lambda: heard.tenants, SOON_S, "a hint by the new subscription")


@pytest.mark.parametrize("garbage", [b"", b" ", b"\xff\xfe", b"acme", b"acme 1 2"])
async def test_what_others_publish_there_does_no_harm(redis_db: str, garbage: bytes) -> None:
    async with listening(redis_db) as heard, redis.asyncio.from_url(redis_db) as client:
        assert await client.publish(keys.HINTS, garbage) == 1
        assert await client.publish(keys.HINTS, "globex 7") == 1
        await wait_until(lambda: heard.tenants[-1:] == ["globex"], SOON_S, "the hint after it")
        assert len(heard.tenants) == 2
