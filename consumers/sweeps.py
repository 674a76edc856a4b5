"""Goes over all tickets of a tenant to fill new columns and to clear retired ones. Small bites, through the step."""

import asyncio
import uuid

import structlog

from consumers.adoption import Adoption
from consumers.metrics import Metrics
from consumers.step import Step
from service.domain.record import Sweep, begun, swept
from service.store.port import CounterStore, StoredTenant, StoreUnavailable
from service.store.token import minted

log = structlog.get_logger()

BITE = 200
"""Tickets per bite: some 10 ms of Redis, so that events wait no longer behind one."""

REST_SHARE = 1.0
"""Rest after each bite, as a share of what it took: a sweep takes at most half of the consumer."""

LOOK_S = 0.5
"""How often to look for tenants to sweep."""

LEASE_MS = 10_000
"""Who holds a bucket's lease sweeps it; another takes over this long after its last bite."""


class Sweeper:
    """Sweeps what this consumer has seen to need it, bucket by bucket, where it gets the lease."""

    def __init__(self, store: CounterStore, adoption: Adoption, step: Step, metrics: Metrics) -> None:
        self._store = store
        self._adoption = adoption
        self._step = step
        self._metrics = metrics
        self._holder = uuid.uuid4().hex

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            try:
                for name in sorted(self._adoption.unswept):
                    await self._tenant(name)
                for orphan in sorted(self._adoption.orphans):
                    await self._collect(*orphan)
            except StoreUnavailable as error:
                log.warning("store away, sweep waits", error=str(error))
            await asyncio.sleep(LOOK_S)

    async def _tenant(self, name: str) -> None:
        stored = await self._store.tenant(name)
        sweep = None if stored is None else begun(stored.record)
        if stored is None or sweep is None:
            self._adoption.unswept.discard(name)
            return
        if await self._store.lease(self._store.bucket(name), self._holder, LEASE_MS):
            await self._sweep(name, stored, sweep)

    async def _collect(self, name: str, generation: str) -> None:
        """Removes what a removed tenant left. Two at once do no harm."""
        done = False
        while not done:
            done = await self._store.collect(name, generation, BITE)
        self._adoption.orphans.discard((name, generation))
        log.info("removed tenant collected", tenant=name, generation=generation)

    async def _sweep(self, name: str, stored: StoredTenant, sweep: Sweep) -> None:
        # A cursor is good only within one run of the store: another one orders its hashes otherwise.
        run = await self._store.run()
        log.info("sweep begins", tenant=name, filling=len(sweep.filling), clearing=len(sweep.retired))
        cursor, tickets = 0, 0
        while True:
            began = asyncio.get_running_loop().time()
            cursor, bite = await self._store.scan(name, stored.generation, cursor, BITE)
            if bite:
                await self._step.touch(name, sorted(set(bite)))
            tickets += len(bite)
            self._metrics.swept.inc(len(bite))
            if cursor == 0:
                break
            if not await self._store.lease(self._store.bucket(name), self._holder, LEASE_MS):
                log.info("sweep left to another consumer", tenant=name)
                return
            await asyncio.sleep(REST_SHARE * (asyncio.get_running_loop().time() - began))
        if await self._store.run() != run:
            log.warning("another run of the store, sweep starts again", tenant=name)
            return
        await self._finish(name, stored.generation, sweep)
        log.info("sweep ended", tenant=name, tickets=tickets)

    async def _finish(self, name: str, generation: str, sweep: Sweep) -> None:
        while (stored := await self._store.tenant(name)) is not None and stored.generation == generation:
            new = StoredTenant(minted(), generation, swept(stored.record, sweep))
            if await self._store.put_tenant(name, stored.token, new):
                return
