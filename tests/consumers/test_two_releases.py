"""Two releases at once, the newer of which means something else by a condition: nobody counts by a mixture."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from consumers.catalogue_sync import sync
from consumers.engine import tenants
from consumers.errors import OlderCode
from service.domain.counting import columns
from service.domain.counting.columns import SEMANTICS
from service.domain.tenants import record, view
from service.domain.tenants.view import Warming
from tests.consumers.small_world import SmallWorld, log_of, told


@contextmanager
def newer_release() -> Iterator[None]:
    """What runs in here is of a release with newer semantics."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (sync, tenants, columns, record, view):
            patch.setattr(module, "SEMANTICS", SEMANTICS + 1)
        yield


async def test_a_service_answers_only_by_columns_that_the_consumers_of_its_release_keep() -> None:
    world = SmallWorld()
    older = await world.consumer()
    log = log_of(told(1, category="vip"), told(2), told(1, "T3", category="vip"))
    await older.consume(log[:1])
    assert await world.counts("all", "vip") == (1, 1)
    newer = await world.consumer(catch_up=False)
    with newer_release():
        await refused(world)  # nobody has made its columns yet
        await newer.catch_up()
        await newer.consume(log[1:])
        await refused(world)  # they are being filled
    await refused(world)  # nobody keeps the older ones any more
    world.store._leases = {}  # the older consumer has ended
    with newer_release():
        await newer.backfill()
        assert await world.counts("all", "vip") == (2, 1)
    await refused(world)


async def refused(world: SmallWorld) -> None:
    """Whoever asks is told that it is being filled."""
    with pytest.raises(Warming):
        await world.counts("all", "vip")


async def test_an_older_consumer_writes_nothing_once_a_newer_one_has_been_there() -> None:
    world = SmallWorld()
    older = await world.consumer()
    log = log_of(told(1), told(2, status="done"))
    await older.consume(log[:1])
    with newer_release():
        await world.consumer()
    before = dict(world.positions)
    with pytest.raises(OlderCode, match="this release has"):
        await older.consume(log[1:])
    assert world.positions == before
