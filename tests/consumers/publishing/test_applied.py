"""Waiting for the consumers: done when the last bucket is there, and what is said on the way."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from consumers import progress
from consumers.publishing import applied_positions
from consumers.publishing.applied_positions import NotApplied, until_applied
from service.store.ports.errors import StoreDenied, StoreUnavailable
from service.store.ports.steps import Applied, Batch, BucketState, PartitionProgress
from tests.fakes.memory_store import MemoryStore

BUCKETS = (0, 1)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks without rest, and says something each time."""
    monkeypatch.setattr(applied_positions, "POLL_INTERVAL_S", 0.0)
    monkeypatch.setattr(progress, "SAY_S", 0.0)


class Watched(MemoryStore):
    """Is away as often as it is told to."""

    def __init__(self) -> None:
        super().__init__(len(BUCKETS))
        self.away = 0

    async def states(self, buckets: Sequence[int]) -> Mapping[int, BucketState]:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        return await super().states(buckets)

    async def reach(self, bucket: int, **positions: int) -> None:
        reached = {
            int(partition[1:]): PartitionProgress(None, position, 0) for partition, position in positions.items()
        }
        assert isinstance(await self.apply(Batch(bucket, "topic", reached)), Applied)


async def ends_after(waiting: "asyncio.Task[None]") -> bool:
    for _ in range(20):
        await asyncio.sleep(0)
    return waiting.done()


async def test_it_ends_with_the_bucket_that_is_furthest_behind_in_each_partition() -> None:
    store, said = Watched(), list[str]()
    waiting = asyncio.create_task(until_applied(store, BUCKETS, {0: 10, 2: 5}, said.append))
    assert not await ends_after(waiting)
    await store.reach(0, p0=12, p1=0, p2=5)
    assert not await ends_after(waiting), "the other bucket has none of it"
    await store.reach(1, p0=10, p2=4)
    assert not await ends_after(waiting)
    assert said[0].startswith("applied: 0 of 15 (0 %)")
    assert said[-1].startswith("applied: 14 of 15 (93 %)")
    await store.reach(1, p2=5)
    assert await ends_after(waiting)
    assert said[-1].startswith("applied: 15 of 15 (100 %)")


async def test_nothing_published_is_applied_at_once() -> None:
    await until_applied(Watched(), BUCKETS, {}, lambda _: None)


async def test_the_catalogue_is_waited_for_too() -> None:
    store = Watched()
    waiting = asyncio.create_task(until_applied(store, BUCKETS, {}, lambda _: None, catalogue_end=3))
    assert not await ends_after(waiting)
    await store.set_validated_offset(2)
    assert not await ends_after(waiting)
    await store.set_validated_offset(3)
    assert await ends_after(waiting)


async def test_a_store_that_is_away_is_waited_for() -> None:
    store, said = Watched(), list[str]()
    store.away = 2
    await store.reach(0, p0=1)
    await store.reach(1, p0=1)
    await until_applied(store, BUCKETS, {0: 1}, said.append)
    assert said[:2] == ["waiting for Redis: away"] * 2


async def test_a_store_that_refuses_this_client_is_not_waited_for() -> None:
    class Refusing(Watched):
        async def states(self, buckets: Sequence[int]) -> Mapping[int, BucketState]:
            raise StoreDenied("Redis: AuthenticationError: invalid username-password pair")

    with pytest.raises(StoreDenied):
        await asyncio.wait_for(until_applied(Refusing(), BUCKETS, {0: 1}, lambda _: None), 10)


@pytest.mark.parametrize(("away", "why"), [(0, "5 are left; /readyz"), (10**9, "Redis is away: away")])
async def test_consumers_that_apply_nothing_more_are_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch, away: int, why: str
) -> None:
    monkeypatch.setattr(applied_positions, "STANDSTILL_S", 0.05)
    store = Watched()
    await store.reach(0, p0=5)
    await store.reach(1, p0=5)
    store.away = away
    with pytest.raises(NotApplied, match=why):
        await asyncio.wait_for(until_applied(store, BUCKETS, {0: 10}, lambda _: None), 10)
