"""Notices that Redis, or a bucket's server, restarted, failed over or moved. Never decides whether writes were lost."""

import asyncio

import structlog

from consumers.catalogue_sync.sync import CatalogueSync
from consumers.kafka_errors import RETRIED
from consumers.retrying import Retrying
from service.store.ports.errors import StoreUnavailable
from service.store.ports.steps import EventStore, Runs, StorePlacement

log = structlog.get_logger()

POLL_INTERVAL_S = 1.0
"""Pause between two polls: catalogue entries that a failover lost are missing for at most that long."""


async def run_of(store: StorePlacement, tenant: str) -> str:
    """Returns the run id of a tenant's Redis server; scan cursors are valid in one run. Raises StoreUnavailable."""
    run = (await store.runs()).buckets[store.bucket(tenant)]
    if not run:
        raise StoreUnavailable(f"the bucket of tenant {tenant} doesn't answer")
    return run


class StoreRuns:
    """Watches the run ids of the catalogue's and the buckets' Redis servers."""

    def __init__(self, store: EventStore, catalogue_sync: CatalogueSync) -> None:
        self._store = store
        self._catalogue_sync = catalogue_sync
        self._known: Runs | None = None

    async def run(self) -> None:
        """Polls for ever. Raises errors that no retry fixes."""
        retrying = Retrying("store runs")
        while True:
            try:
                await self.look()
                retrying.succeeded()
            except RETRIED as error:
                retrying.report(error)
            await asyncio.sleep(POLL_INTERVAL_S)

    async def look(self) -> None:
        """Syncs the whole catalogue again when a run id has changed. Raises StoreUnavailable.

        A server that doesn't answer is compared once it does. The epoch that clients see contains the run id. A bucket
        that moves to another server and back would return to an old epoch, so with several servers each moved bucket
        gets a new epoch.
        """
        runs = await self._store.runs()
        if self._known is not None:
            runs = _with_last_known(runs, self._known)
        if self._known is not None and runs != self._known:
            pairs = enumerate(zip(runs.buckets, self._known.buckets, strict=True))
            moved = [bucket for bucket, (now, before) in pairs if now != before]
            log.warning("another run of the store: checking what it has", buckets=len(moved))
            if len({*runs.buckets, runs.catalogue}) > 1:
                for bucket in moved:
                    await self._store.new_epoch(bucket)
            await self._catalogue_sync.sync_all()
        self._known = runs


def _with_last_known(runs: Runs, known: Runs) -> Runs:
    """Returns `runs`, with the last known run id for each server that didn't answer."""
    buckets = tuple(now or before for now, before in zip(runs.buckets, known.buckets, strict=True))
    return Runs(buckets, runs.catalogue or known.catalogue)
