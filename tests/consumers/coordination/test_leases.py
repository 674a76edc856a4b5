"""Leases of consumers that come and go, in virtual time: how old the timers get until the next one goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from consumers.coordination.leases import GIVE_BACK_S, LEASE_MS, Leases
from consumers.ingest.timers import Timers
from service.store.ports.catalogue import Bucket
from service.store.ports.errors import StoreUnavailable
from tests.consumers.small_world import NOW_US, tenant_entry
from tests.fakes.memory_store import MemoryStore
from tests.support.pipeline import FakeProducer, Pipeline, published
from tests.web.push.streaming.virtual_time import LoopClock, VirtualTimeLoop

BUCKETS = 4
WATCH_S = 0.05


async def mine_of(leases: Leases) -> list[Bucket]:
    """The buckets that are these leases' holder's."""
    return [bucket for bucket in range(BUCKETS) if await leases.mine(bucket)]


class TwoConsumers:
    """A store and the consumers on it; remembers how old the timers of any bucket were at worst."""

    def __init__(self) -> None:
        self.clock = LoopClock(NOW_US)
        self.store = MemoryStore(BUCKETS, lambda: self.clock.now_us() // 1000)
        self.oldest_s = 0.0

    @asynccontextmanager
    async def consumer(self, *, killed: bool = False) -> AsyncIterator[Leases]:
        """One that runs while the context is open, and stops as `python -m consumers` does, unless it is killed."""
        pipeline = Pipeline(self.store, published([tenant_entry()]), FakeProducer(), NOW_US)
        leases = Leases(self.store)
        timers = Timers(self.store, pipeline.reevaluation, leases, self.clock, pipeline.metrics, range(BUCKETS))
        async with asyncio.TaskGroup() as tasks:
            if killed:
                running = tasks.create_task(timers.run())
                yield leases
            else:
                async with leases.given_back():
                    running = tasks.create_task(timers.run())
                    yield leases
                    running.cancel()
                    await asyncio.wait((running,))
            running.cancel()

    async def watch(self, seconds: float) -> None:
        """Lets time pass, and looks at the timers all along."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            await asyncio.sleep(WATCH_S)
            states = await self.store.states(range(BUCKETS))
            ages_us = [self.clock.now_us() - (state.timers or 0) for state in states.values()]
            self.oldest_s = max(self.oldest_s, max(ages_us) / 1_000_000)


def in_virtual_time(scene: Any) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(scene)


def test_timers_are_at_most_a_second_old_across_a_clean_restart_of_both_consumers() -> None:
    async def scene() -> None:
        both, first, second, third = TwoConsumers(), AsyncExitStack(), AsyncExitStack(), AsyncExitStack()
        holder = await first.enter_async_context(both.consumer())
        await both.watch(1)
        both.oldest_s = 0.0  # before the first look there were none
        other = await second.enter_async_context(both.consumer())
        await both.watch(3.3)
        assert await mine_of(holder) == [*range(BUCKETS)]
        await first.aclose()
        await both.watch(6.1)
        assert await mine_of(other) == [*range(BUCKETS)]
        restarted = await third.enter_async_context(both.consumer())
        await both.watch(2.2)
        assert await mine_of(restarted) == []
        await second.aclose()
        await both.watch(6)
        assert await mine_of(restarted) == [*range(BUCKETS)]
        await third.aclose()
        assert both.oldest_s <= 1.0

    in_virtual_time(scene())


def test_a_consumer_that_is_killed_is_followed_when_its_leases_are_over() -> None:
    async def scene() -> None:
        both, killed, other = TwoConsumers(), AsyncExitStack(), AsyncExitStack()
        await killed.enter_async_context(both.consumer(killed=True))
        await both.watch(1)
        both.oldest_s = 0.0
        leases = await other.enter_async_context(both.consumer())
        await both.watch(2)
        await killed.aclose()
        await both.watch(6)
        assert await mine_of(leases) == [*range(BUCKETS)]
        await other.aclose()
        assert 1.0 < both.oldest_s <= LEASE_MS / 1000 + 1.0

    in_virtual_time(scene())


class Stuck(MemoryStore):
    """Takes no lease back: hangs, or is away."""

    def __init__(self, *, hangs: bool) -> None:
        super().__init__()
        self.hangs = hangs

    async def give_back(self, bucket: Bucket, holder: str) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        raise StoreUnavailable("away")


@pytest.mark.parametrize("hangs", [True, False])
def test_a_stop_waits_for_no_redis_that_does_not_answer(hangs: bool) -> None:
    async def scene() -> None:
        store = Stuck(hangs=hangs)
        async with Leases(store).given_back() as leases:
            assert await leases.take(0)
        assert asyncio.get_running_loop().time() <= GIVE_BACK_S

    in_virtual_time(scene())
