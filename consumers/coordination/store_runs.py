"""Notices that the store, or a part of it, restarted, failed over or moved. Never decides whether anything was lost."""

import asyncio

import structlog

from consumers.catalogue_sync.sync import CatalogueSync
from consumers.kafka_errors import RETRIED
from consumers.retrying import Retrying
from service.store.ports.errors import StoreUnavailable
from service.store.ports.steps import EventStore, Runs, StorePlacement

log = structlog.get_logger()

POLL_INTERVAL_S = 1.0
"""How often to look: how long what a store that went back has lost of the catalogue may be missing."""


async def run_of(store: StorePlacement, tenant: str) -> str:
    """The run that a tenant's bucket is in: a cursor over its tickets is good only there. Raises StoreUnavailable."""
    run = (await store.runs()).buckets[store.bucket(tenant)]
    if not run:
        raise StoreUnavailable(f"the bucket of tenant {tenant} doesn't answer")
    return run


class StoreRuns:
    """Remembers in which run of the store everything is."""

    def __init__(self, store: EventStore, catalogue_sync: CatalogueSync) -> None:
        self._store = store
        self._catalogue_sync = catalogue_sync
        self._known: Runs | None = None

    async def run(self) -> None:
        """Looks for ever."""
        retrying = Retrying("store runs")
        while True:
            try:
                await self.look()
                retrying.well()
            except RETRIED as error:
                retrying.heed(error)
            await asyncio.sleep(POLL_INTERVAL_S)

    async def look(self) -> None:
        """Where something is in another run than before, brings the catalogue in again. Raises StoreUnavailable.

        What doesn't answer is compared once it does. Readers see the run in the epoch. A bucket that moves to a server
        and back would show them an epoch again that they had left, so one that has moved gets a new epoch where there
        is more than one server.
        """
        runs = await self._store.runs()
        if self._known is not None:
            runs = _where_silent(runs, self._known)
        if self._known is not None and runs != self._known:
            pairs = enumerate(zip(runs.buckets, self._known.buckets, strict=True))
            moved = [bucket for bucket, (now, before) in pairs if now != before]
            log.warning("another run of the store: checking what it has", buckets=len(moved))
            if len({*runs.buckets, runs.catalogue}) > 1:
                for bucket in moved:
                    await self._store.new_epoch(bucket)
            await self._catalogue_sync.everything()
        self._known = runs


def _where_silent(runs: Runs, known: Runs) -> Runs:
    """These runs, and where there is none, the one that was known before."""
    buckets = tuple(now or before for now, before in zip(runs.buckets, known.buckets, strict=True))
    return Runs(buckets, runs.catalogue or known.catalogue)
