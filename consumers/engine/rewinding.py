"""Repairs a store that lost acknowledged writes, before the log is read again from its positions. Applies no event.

Clients compare versions only within an epoch, so each bucket that went back gets a new epoch first.
"""

from collections.abc import Mapping

import structlog

from consumers.backoff import Backoff
from consumers.catalogue_sync.sync import CatalogueSync
from consumers.engine.away import AwayBuckets
from consumers.engine.event_step import EventStep
from consumers.errors import Rewind
from consumers.metrics import ConsumerMetrics
from service.store.ports.catalogue import Bucket, Position
from service.store.ports.errors import StoreDenied, StoreUnavailable
from service.store.ports.steps import BucketState, EventStore

log = structlog.get_logger()


class Rewinding:
    """Handles Rewind: new epochs for buckets that went back, and a full catalogue sync."""

    def __init__(
        self,
        store: EventStore,
        step: EventStep,
        catalogue_sync: CatalogueSync,
        metrics: ConsumerMetrics,
        away: AwayBuckets,
    ) -> None:
        self._store = store
        self._step = step
        self._catalogue_sync = catalogue_sync
        self._metrics = metrics
        self._away = away

    async def run(self, rewind: Rewind) -> None:
        """Returns once every bucket that went back and isn't away has a new epoch and the catalogue is synced.

        When the store goes away meanwhile, as after a failover, it waits and then does everything again, since the
        store may have gone back once more. Raises StoreDenied.
        """
        self._metrics.rewinds.inc()
        log.error("the store lost acknowledged writes: rewinding", reason=str(rewind))
        backoff = Backoff()
        while True:
            try:
                await self._once(rewind.bucket)
                return
            except StoreDenied:
                raise
            except StoreUnavailable as error:
                log.warning("store away, rewinding waits", error=str(error))
                await backoff.pause()

    async def _once(self, named: Bucket) -> None:
        """`named` gets a new epoch in any case: its positions may be right again by now, but it has gone back."""
        states = await self._store.states(self._away.live)
        for bucket in sorted({named, *went_back(states, self._step.known)}):
            await self._store.new_epoch(bucket)
        await self._catalogue_sync.sync_all()


def went_back(states: Mapping[Bucket, BucketState], known: Mapping[tuple[Bucket, int], Position]) -> frozenset[Bucket]:
    """Returns the buckets with a position below the known one, which was stored before."""
    return frozenset(
        bucket
        for (bucket, partition), position in known.items()
        if bucket in states and states[bucket].positions.get(partition, -1) < position
    )
