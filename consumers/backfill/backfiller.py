"""Backfill: reads all tickets of a tenant to fill new columns and clear retired ones. Never blocks events for long."""

import asyncio
import hashlib
from collections.abc import Container

import msgspec
import structlog

from consumers.backfill.generation_gc import FIRST_SCAN_BATCH, REST_SHARE, SCAN_BATCH, SCAN_BATCH_S, collect
from consumers.backfill.on_demand_columns import OnDemandColumns
from consumers.backoff import before_redoing
from consumers.catalogue_sync.sync import CatalogueSync
from consumers.coordination.leases import Leases
from consumers.coordination.live_work import LiveWork
from consumers.coordination.store_runs import run_of
from consumers.engine.reevaluation import Reevaluation
from consumers.kafka_errors import RETRIED
from consumers.metrics import ConsumerMetrics
from consumers.retrying import Retrying
from service.domain.tenants.record import Backfill, backfill_for, backfilling
from service.store.page_size import PageSize
from service.store.ports.backfill import BackfillStore
from service.store.ports.catalogue import Bucket, StoredTenant
from service.store.ports.errors import StoreUnavailable
from service.store.random_id import new_random_id
from service.turns import in_turns

log = structlog.get_logger()

SLICE_S = 1.0
"""Longest turn of one tenant: a tenant with a million tickets must not keep one with ten waiting."""

POLL_INTERVAL_S = 0.2
"""Pause between two polls for backfills and column demands: viewers wait for the first fill."""


class BackfillProgress(msgspec.Struct, frozen=True):
    """The stored progress of a backfill.

    Valid only for the same backfill (`sweep` is its digest) and in the same `run` of the store, since a restarted Redis
    orders hashes differently.
    """

    sweep: str
    run: str
    cursor: int = 0
    tickets: int = 0


class Backfiller:
    """Runs the backfills that this consumer knows of, in turns, where it holds the bucket's lease."""

    def __init__(
        self,
        store: BackfillStore,
        catalogue_sync: CatalogueSync,
        reevaluation: Reevaluation,
        on_demand: OnDemandColumns,
        leases: Leases,
        metrics: ConsumerMetrics,
        retrying: Retrying | None = None,
        live: LiveWork | None = None,
        away: Container[Bucket] = (),
    ) -> None:
        """`away`: buckets whose server takes no writes; their tenants wait."""
        self._away = away
        self._store = store
        self._catalogue_sync = catalogue_sync
        self._reevaluation = reevaluation
        self._on_demand = on_demand
        self._leases = leases
        self._metrics = metrics
        self._retrying = retrying or Retrying("backfill")
        self._live = live or LiveWork()

    async def run(self) -> None:
        """Runs for ever. Raises errors that no retry fixes."""
        while True:
            try:
                await self._on_demand.look(self._may)
                for name in sorted(self._catalogue_sync.to_backfill):
                    if not self._is_away(name):
                        await self._tenant(name)
                await self._collect()
                self._retrying.succeeded()
            except RETRIED as error:
                self._retrying.report(error)
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _may(self, tenant: str) -> bool:
        """Whether this consumer may change the tenant's columns: it holds the lease, and the bucket isn't away."""
        return not self._is_away(tenant) and await self._leases.take(self._store.bucket(tenant))

    def _is_away(self, tenant: str) -> bool:
        return self._store.bucket(tenant) in self._away

    async def _tenant(self, name: str) -> None:
        self._catalogue_sync.to_backfill.discard(name)  # before the read, so that a newer record adds it again
        try:
            stored = self._catalogue_sync.remember(name, await self._store.tenant(name))
        except StoreUnavailable:
            self._catalogue_sync.to_backfill.add(name)
            raise
        backfill = None if stored is None else backfill_for(stored.record)
        if stored is not None and backfill is not None and await self._may(name):
            await self._turn(name, stored, backfill)

    async def _collect(self) -> None:
        """Collects the generations of removed tenants and of rebuilds that were given up."""
        orphans = frozenset(orphan for orphan in self._catalogue_sync.orphans if not self._is_away(orphan[0]))
        await collect(self._store, orphans, self._live.give_way)
        self._catalogue_sync.orphans -= orphans
        for name, generation in sorted(orphans):
            log.info("orphaned generation deleted", tenant=name, generation=generation)

    async def _turn(self, name: str, stored: StoredTenant, backfill: Backfill) -> None:
        """Continues a backfill for one turn, and marks its columns as in force when all tickets are done."""
        progress = await self._progress(name, stored.generation, backfill)
        if progress.cursor == 0:
            log.info("backfill begins", tenant=name, filling=len(backfill.filling), clearing=len(backfill.retired))
        loop = asyncio.get_running_loop()
        turn_ends, size = loop.time() + SLICE_S, PageSize(FIRST_SCAN_BATCH, SCAN_BATCH, SCAN_BATCH_S)
        while True:
            await self._live.give_way()
            began = loop.time()
            progress = await self._scan_batch(name, stored.generation, progress, size.tickets)
            size.note(loop.time() - began)
            if progress.cursor == 0:
                break
            await self._store.set_backfill_progress(name, msgspec.json.encode(progress).decode())
            if loop.time() >= turn_ends or not await self._may(name):
                total = await self._store.ticket_count(name, stored.generation)
                self._metrics.backfill_left.set(max(0, total - progress.tickets))
                log.info("backfill goes on", tenant=name, tickets=progress.tickets, of=total)
                return
            await asyncio.sleep(REST_SHARE * (loop.time() - began))
        await self._store.set_backfill_progress(name, "")
        if await run_of(self._store, name) != progress.run:
            log.warning("another run of the store, backfill starts again", tenant=name)
            return
        await self._put_in_force(name, stored.generation, backfill)
        self._metrics.backfill_left.set(0)
        log.info("backfill ended", tenant=name, tickets=progress.tickets)

    async def _progress(self, name: str, generation: str, backfill: Backfill) -> BackfillProgress:
        """Returns the stored progress of this backfill, or its beginning."""
        run = await run_of(self._store, name)
        beginning = BackfillProgress(_digest(generation, backfill), run)
        stored = await self._store.backfill_progress(name)
        if not stored:
            return beginning
        progress = msgspec.json.decode(stored, type=BackfillProgress)
        return progress if (progress.sweep, progress.run) == (beginning.sweep, run) else beginning

    async def _scan_batch(
        self, name: str, generation: str, progress: BackfillProgress, tickets: int
    ) -> BackfillProgress:
        cursor, found = await self._store.scan(name, generation, progress.cursor, tickets)
        if found:
            await self._reevaluation.touch(name, sorted(set(found)))
        self._metrics.backfilled.inc(len(found))
        return msgspec.structs.replace(progress, cursor=cursor, tickets=progress.tickets + len(found))

    async def _put_in_force(self, name: str, generation: str, backfill: Backfill) -> None:
        redoing = before_redoing()
        while (stored := await self._store.tenant(name)) is not None and stored.generation == generation:
            new = StoredTenant(new_random_id(), generation, await in_turns(backfilling(stored.record, backfill)))
            if await self._store.put_tenant(name, stored.record_version, new):
                return
            await redoing.pause()


def _digest(generation: str, backfill: Backfill) -> str:
    """Identifies a backfill by generation and columns: with another column, or after a rebuild, it starts again."""
    settled = (generation, sorted(backfill.filling.items()), sorted(backfill.retired.items()))
    return hashlib.blake2b(msgspec.json.encode(settled), digest_size=16).hexdigest()
