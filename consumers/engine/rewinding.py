"""What is done where the store lost acknowledged writes, before it is read on from where it is. Applies no event.

Readers compare versions only within an epoch, so each bucket that went back gets a new one first.
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
    """Makes a store that went back fit to be read and written again."""

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
        """Returns once every bucket that went back and isn't away has a new epoch, and the store all of the catalogue.

        A store that goes away on the way, as one that failed over a moment ago may, is waited for; all is then done
        again, since it may have gone back once more.
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
        """`named` is the bucket that was found first; it may stand where it should by now, but was seen behind."""
        states = await self._store.states(self._away.live)
        for bucket in sorted({named, *went_back(states, self._step.known)}):
            await self._store.new_epoch(bucket)
        await self._catalogue_sync.everything()


def went_back(states: Mapping[Bucket, BucketState], known: Mapping[tuple[Bucket, int], Position]) -> frozenset[Bucket]:
    """Of these buckets those with a position below one that is known to have been stored."""
    return frozenset(
        bucket
        for (bucket, partition), position in known.items()
        if bucket in states and states[bucket].positions.get(partition, -1) < position
    )
