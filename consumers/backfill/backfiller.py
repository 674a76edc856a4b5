"""Goes over all tickets of a tenant to fill new columns and to clear retired ones. Small bites, through the step."""

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
"""How long one tenant is swept before the next one gets a turn: a million tickets must not keep ten waiting."""

POLL_INTERVAL_S = 0.2
"""How often to look for tenants to sweep and columns that are wanted: viewers wait for the first fill."""


class BackfillProgress(msgspec.Struct, frozen=True):
    """How far a sweep is. Good for the same sweep, over the same generation, and in one run of the store: another
    orders hashes otherwise."""

    sweep: str
    run: str
    cursor: int = 0
    tickets: int = 0


class Backfiller:
    """Sweeps what this consumer has seen to need it, turn by turn, where it gets the bucket's lease."""

    def __init__(
        self,
        store: BackfillStore,
        catalogue_sync: CatalogueSync,
        reevaluation: Reevaluation,
        wanted: OnDemandColumns,
        leases: Leases,
        metrics: ConsumerMetrics,
        retrying: Retrying | None = None,
        live: LiveWork | None = None,
        away: Container[Bucket] = (),
    ) -> None:
        """`away`: buckets whose server takes nothing now; their tenants wait."""
        self._away = away
        self._store = store
        self._catalogue_sync = catalogue_sync
        self._reevaluation = reevaluation
        self._wanted = wanted
        self._leases = leases
        self._metrics = metrics
        self._retrying = retrying or Retrying("backfill")
        self._live = live or LiveWork()

    async def run(self) -> None:
        """Looks for ever. Raises what no retry cures."""
        while True:
            try:
                await self._wanted.look(self._may)
                for name in sorted(self._catalogue_sync.to_backfill):
                    if not self._is_away(name):
                        await self._tenant(name)
                await self._collect()
                self._retrying.well()
            except RETRIED as error:
                self._retrying.heed(error)
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _may(self, tenant: str) -> bool:
        """Whether this consumer is the one to change the tenant's columns."""
        return not self._is_away(tenant) and await self._leases.take(self._store.bucket(tenant))

    def _is_away(self, tenant: str) -> bool:
        return self._store.bucket(tenant) in self._away

    async def _tenant(self, name: str) -> None:
        self._catalogue_sync.to_backfill.discard(name)  # before it is read: what is adopted meanwhile notes it again
        try:
            stored = self._catalogue_sync.noted(name, await self._store.tenant(name))
        except StoreUnavailable:
            self._catalogue_sync.to_backfill.add(name)
            raise
        sweep = None if stored is None else backfill_for(stored.record)
        if stored is not None and sweep is not None and await self._may(name):
            await self._turn(name, stored, sweep)

    async def _collect(self) -> None:
        """Removes what removed tenants and given up generations left."""
        orphans = frozenset(orphan for orphan in self._catalogue_sync.orphans if not self._is_away(orphan[0]))
        await collect(self._store, orphans, self._live.give_way)
        self._catalogue_sync.orphans -= orphans
        for name, generation in sorted(orphans):
            log.info("generation that serves nobody collected", tenant=name, generation=generation)

    async def _turn(self, name: str, stored: StoredTenant, sweep: Backfill) -> None:
        """Goes on with a sweep for a while, and settles it when it has been everywhere."""
        mark = await self._mark(name, stored.generation, sweep)
        if mark.cursor == 0:
            log.info("sweep begins", tenant=name, filling=len(sweep.filling), clearing=len(sweep.retired))
        loop = asyncio.get_running_loop()
        turn_ends, size = loop.time() + SLICE_S, PageSize(FIRST_SCAN_BATCH, SCAN_BATCH, SCAN_BATCH_S)
        while True:
            await self._live.give_way()
            began = loop.time()
            mark = await self._bite(name, stored.generation, mark, size.tickets)
            size.note(loop.time() - began)
            if mark.cursor == 0:
                break
            await self._store.set_backfill_progress(name, msgspec.json.encode(mark).decode())
            if loop.time() >= turn_ends or not await self._may(name):
                total = await self._store.ticket_count(name, stored.generation)
                self._metrics.sweep_left.set(max(0, total - mark.tickets))
                log.info("sweep goes on", tenant=name, tickets=mark.tickets, of=total)
                return
            await asyncio.sleep(REST_SHARE * (loop.time() - began))
        await self._store.set_backfill_progress(name, "")
        if await run_of(self._store, name) != mark.run:
            log.warning("another run of the store, sweep starts again", tenant=name)
            return
        await self._settle(name, stored.generation, sweep)
        self._metrics.sweep_left.set(0)
        log.info("sweep ended", tenant=name, tickets=mark.tickets)

    async def _mark(self, name: str, generation: str, sweep: Backfill) -> BackfillProgress:
        """Where to go on: what somebody noted for this very sweep, or its beginning."""
        run = await run_of(self._store, name)
        beginning = BackfillProgress(_digest(generation, sweep), run)
        noted = await self._store.backfill_progress(name)
        if not noted:
            return beginning
        mark = msgspec.json.decode(noted, type=BackfillProgress)
        return mark if (mark.sweep, mark.run) == (beginning.sweep, run) else beginning

    async def _bite(self, name: str, generation: str, mark: BackfillProgress, tickets: int) -> BackfillProgress:
        cursor, found = await self._store.scan(name, generation, mark.cursor, tickets)
        if found:
            await self._reevaluation.touch(name, sorted(set(found)))
        self._metrics.swept.inc(len(found))
        return msgspec.structs.replace(mark, cursor=cursor, tickets=mark.tickets + len(found))

    async def _settle(self, name: str, generation: str, sweep: Backfill) -> None:
        redoing = before_redoing()
        while (stored := await self._store.tenant(name)) is not None and stored.generation == generation:
            new = StoredTenant(new_random_id(), generation, await in_turns(backfilling(stored.record, sweep)))
            if await self._store.put_tenant(name, stored.record_version, new):
                return
            await redoing.pause()


def _digest(generation: str, sweep: Backfill) -> str:
    """Names what a sweep settles, and where: with anything more to fill, or in a rebuilt tenant, it begins anew."""
    settled = (generation, sorted(sweep.filling.items()), sorted(sweep.retired.items()))
    return hashlib.blake2b(msgspec.json.encode(settled), digest_size=16).hexdigest()
