"""What is done where the store went back: each bucket that did has a new epoch, whatever fails on the way."""

from collections.abc import Mapping

import pytest

from consumers.engine.away import AwayBuckets
from consumers.engine.rewinding import Rewinding
from consumers.errors import Rewind
from service.store.ports.catalogue import Bucket
from service.store.ports.errors import StoreUnavailable
from tests.consumers.small_world import TENANT, SmallWorld, log_of, told
from tests.support.pipeline import TOPIC_ID, Pipeline

REACHED = 7


class Flaky:
    """Fails the calls of one kind: those with the numbers it is given, counted from 1."""

    def __init__(self, *failing: int) -> None:
        self._failing = failing
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls in self._failing:
            raise StoreUnavailable("away")


async def applied() -> tuple[SmallWorld, Pipeline]:
    """A world whose buckets all have everything below `REACHED` of two partitions."""
    world = SmallWorld()
    consumer = await world.consumer()
    await consumer.consume(log_of(told(1)))
    await consumer.tick({0: REACHED, 1: REACHED})
    return world, consumer


async def rewound(world: SmallWorld, consumer: Pipeline, first: Bucket) -> None:
    away = AwayBuckets(world.store, TOPIC_ID, range(world.store.buckets), consumer.metrics)
    rewinding = Rewinding(world.store, consumer.step, consumer.catalogue_sync, consumer.metrics, away)
    await rewinding.run(Rewind(first, {}))


def epochs(world: SmallWorld) -> dict[Bucket, str]:
    return {bucket: state.epoch for bucket, state in world.store._states.items()}


def changed(before: Mapping[Bucket, str], after: Mapping[Bucket, str]) -> set[Bucket]:
    return {bucket for bucket in before if before[bucket] != after[bucket]}


async def test_every_bucket_that_went_back_has_a_new_epoch_and_no_other() -> None:
    world, consumer = await applied()
    world.store._states[1].positions[1] = REACHED - 1
    world.store._states[3].positions.clear()
    before = epochs(world)
    await rewound(world, consumer, first=1)
    assert changed(before, epochs(world)) == {1, 3}
    assert consumer.metrics.rewinds._value.get() == 1


async def test_the_bucket_that_was_seen_behind_has_one_though_it_was_brought_up_again_meanwhile() -> None:
    world, consumer = await applied()
    before = epochs(world)
    await rewound(world, consumer, first=2)
    assert changed(before, epochs(world)) == {2}


@pytest.mark.parametrize("call", ["states", "new_epoch", "tenant"])
async def test_a_store_that_goes_away_on_the_way_is_waited_for(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world, consumer = await applied()
    for state in world.store._states.values():
        state.positions.clear()
    before = epochs(world)
    real, flaky = getattr(world.store, call), Flaky(1, 2)

    async def meddled(*arguments: object) -> object:
        flaky()
        return await real(*arguments)

    monkeypatch.setattr(world.store, call, meddled)
    await rewound(world, consumer, first=0)
    assert flaky.calls > 2, "it failed twice"
    assert changed(before, epochs(world)) == set(before)
    assert consumer.metrics.rewinds._value.get() == 1


async def test_the_catalogue_is_brought_back_too() -> None:
    world, consumer = await applied()
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    assert await world.store.drop_tenant(TENANT, stored.record_version)
    await rewound(world, consumer, first=0)
    again = await world.store.tenant(TENANT)
    assert again is not None
    assert again.record.newest.settings == stored.record.newest.settings


async def test_what_fails_again_after_it_went_back_once_more_is_done_for_those_buckets_too() -> None:
    world, consumer = await applied()
    world.store._states[0].positions.clear()
    before = epochs(world)
    real = world.store.new_epoch

    async def fails_once_and_goes_back(bucket: Bucket) -> None:
        world.store.new_epoch = real  # type: ignore[method-assign]
        world.store._states[2].positions.clear()
        raise StoreUnavailable("away, and back as it was before")

    world.store.new_epoch = fails_once_and_goes_back  # type: ignore[method-assign]
    await rewound(world, consumer, first=0)
    assert changed(before, epochs(world)) == {0, 2}
