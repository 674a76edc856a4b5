"""Parts of the store in another run: what moved gets a new epoch, and the catalogue is brought in once more."""

import pytest

from consumers.catalogue_sync.catalogue_log import CatalogueLog
from consumers.catalogue_sync.sync import CatalogueSync
from consumers.coordination.store_runs import StoreRuns
from consumers.metrics import ConsumerMetrics
from service.store.ports.errors import StoreUnavailable
from service.store.ports.steps import Runs
from tests.fakes.memory_store import MemoryStore

HERE = Runs(("a", "a", "b"), "b")


class SpreadStore(MemoryStore):
    """Says what it is told to of where things are, and notes new epochs; away as often as it is told to."""

    def __init__(self) -> None:
        super().__init__(3)
        self.now = HERE
        self.minted: list[int] = []
        self.away = 0

    async def runs(self) -> Runs:
        return self.now

    async def new_epoch(self, bucket: int) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        self.minted.append(bucket)
        await super().new_epoch(bucket)


class CountedAdoption(CatalogueSync):
    """Counts how often it brought everything in."""

    brought = 0

    async def sync_all(self) -> None:
        self.brought += 1
        await super().sync_all()


def looking() -> tuple[StoreRuns, SpreadStore, CountedAdoption]:
    store = SpreadStore()
    catalogue_sync = CountedAdoption(store, CatalogueLog(), ConsumerMetrics())
    return StoreRuns(store, catalogue_sync), store, catalogue_sync


async def test_what_stays_where_it_is_is_left_alone() -> None:
    runs, store, catalogue_sync = looking()
    for _ in range(3):
        await runs.look()
    assert (store.minted, catalogue_sync.brought) == ([], 0)


async def test_a_bucket_that_moves_and_comes_back_is_in_a_new_epoch_each_time() -> None:
    runs, store, catalogue_sync = looking()
    await runs.look()
    store.now = Runs(("a", "b", "b"), "b")
    await runs.look()
    assert store.minted == [1]
    store.now = HERE
    await runs.look()
    assert (store.minted, catalogue_sync.brought) == ([1, 1], 2)


async def test_where_only_the_catalogue_moves_it_is_brought_in_again() -> None:
    runs, store, catalogue_sync = looking()
    await runs.look()
    store.now = Runs(HERE.buckets, "c")
    await runs.look()
    assert (store.minted, catalogue_sync.brought) == ([], 1)


async def test_one_server_that_restarted_is_another_epoch_by_that_alone() -> None:
    runs, store, catalogue_sync = looking()
    store.now = Runs(("a", "a", "a"), "a")
    await runs.look()
    store.now = Runs(("x", "x", "x"), "x")
    await runs.look()
    assert (store.minted, catalogue_sync.brought) == ([], 1)


async def test_a_store_that_goes_away_meanwhile_is_looked_at_again() -> None:
    runs, store, catalogue_sync = looking()
    await runs.look()
    store.now = Runs(("b", "b", "b"), "c")
    store.away = 1
    with pytest.raises(StoreUnavailable):
        await runs.look()
    await runs.look()
    assert (store.minted, catalogue_sync.brought) == ([0, 1], 1)
