"""A consumer's clock that is wrong: Redis' own clock bounds what is written."""

import asyncio
import time
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from consumers.metrics import ConsumerMetrics
from consumers.ops.store_clock import StoreClock
from service.store.ports.errors import StoreUnavailable
from service.store.redis.reader import RedisReader
from service.store.redis.store import open_store
from tests.consumers.small_world import NOW_US
from tests.store.contract import BUCKETS
from tests.support.pipeline import SetClock

SECOND, DAY = 1_000_000, 86_400_000_000


@dataclass
class Server:
    """A store's clock, and a monotonic one that goes with it."""

    now: int = NOW_US
    monotonic: float = 50.0
    away: bool = False

    async def time_us(self) -> int:
        if self.away:
            raise StoreUnavailable("away")
        return self.now

    def monotonic_s(self) -> float:
        return self.monotonic

    def passes(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)
        self.monotonic += seconds


@pytest.mark.parametrize("ahead_us", [DAY, SECOND, 0])
async def test_a_clock_that_is_ahead_is_held_back_to_the_stores(ahead_us: int) -> None:
    server, own = Server(), SetClock(NOW_US + ahead_us)
    clock = await StoreClock.of(server, own, server.monotonic_s)
    assert clock.now_us() == NOW_US
    server.passes(30)
    own.now += 30 * SECOND
    assert clock.now_us() == NOW_US + 30 * SECOND, "also between two looks"
    assert clock.ahead_us == ahead_us


async def test_a_clock_that_is_behind_stays_so() -> None:
    server, own = Server(), SetClock(NOW_US - 5 * SECOND)
    clock = await StoreClock.of(server, own, server.monotonic_s)
    assert clock.now_us() == NOW_US - 5 * SECOND
    assert clock.ahead_us == -5 * SECOND


async def test_a_clock_that_is_set_a_day_ahead_between_two_looks_changes_nothing() -> None:
    server, own = Server(), SetClock(NOW_US)
    clock = await StoreClock.of(server, own, server.monotonic_s)
    own.now += DAY
    assert clock.now_us() == NOW_US


async def test_it_follows_the_store_and_says_once_that_it_is_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    server, own, metrics = Server(), SetClock(NOW_US + DAY), ConsumerMetrics()
    clock = await StoreClock.of(server, own, server.monotonic_s)
    monkeypatch.setattr("consumers.ops.store_clock.POLL_INTERVAL_S", 0.0)
    server.now -= 10 * SECOND  # another server, whose clock is behind
    with capture_logs() as lines:
        following = asyncio.create_task(clock.follow(server, metrics))
        for _ in range(5):
            await asyncio.sleep(0)
        server.away = True
        for _ in range(5):
            await asyncio.sleep(0)
        assert not following.done(), "it goes on by what it was told last"
        following.cancel()
        await asyncio.wait((following,))
    assert clock.now_us() == NOW_US - 10 * SECOND
    assert [line["event"] for line in lines].count(
        "this machine's clock is ahead of Redis' clock, which is used instead"
    ) == 1
    assert metrics.registry.get_sample_value("ticket_counts_clock_ahead_seconds") == 86_410


async def test_redis_tells_its_time(redis_db: str) -> None:
    async with open_store(redis_db, BUCKETS, 10.0) as store:
        before = time.time()
        assert before - 5 <= await store.time_us() / SECOND <= time.time() + 5


async def test_what_is_asked_for_by_a_clock_that_is_ahead_is_noted_at_the_servers_time(redis_db: str) -> None:
    async with open_store(redis_db, BUCKETS, 10.0) as store:
        assert isinstance(store, RedisReader)
        now = time.time_ns() // 1000
        await store.note_demands("acme", [("p", "f", "")], now + DAY, missing=False)
        await store.note_demands("acme", [("p", "g", "")], now - DAY, missing=False)
        asked = await store.demands("acme")
        assert asked["p", "f", ""] <= await store.time_us()
        assert asked["p", "g", ""] == (now - DAY) // 1000 * 1000
