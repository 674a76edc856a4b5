"""Rebuilds tenants: begins or resumes buildings, fills and swaps them. Never writes to a serving generation."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from aiokafka.errors import OffsetOutOfRangeError

from consumers.backfill.generation_gc import Orphan, collect_counters, collect_tickets
from consumers.backoff import Backoff
from consumers.engine.tenants import CompiledTenant, compile_tenant
from consumers.errors import BuildingChanged, LogSilent, RebuildRefused
from consumers.kafka_errors import RETRIED, cause_of, remedy_of
from consumers.progress import Say
from consumers.rebuild.build_step import BuildStep, Job
from consumers.rebuild.filling import Filling
from service.clock import Clock
from service.domain.tenants.record import evaluated_by, in_force
from service.store.client.redis_errors import Remedy
from service.store.ports.building import (
    AHEAD,
    DUE,
    LAPSED,
    OTHER_RECORD,
    OTHER_TOPIC,
    Building,
    BuildingStore,
    Gone,
    NotYet,
    Swapped,
)
from service.store.ports.catalogue import Position, StoredTenant
from service.store.ports.steps import BucketState
from service.store.random_id import new_random_id

CLOCKS_APART_US = 5 * 60 * 1_000_000
"""Upper bound for the difference between two hosts' clocks plus the duration of a call."""

MERGE_AFTER_US = 3_600 * 1_000_000
"""Tickets due later are merged into the bucket's due set before the swap, which takes place well within an hour."""

MERGE_BATCH = 1_000
"""Members merged in one call: a few ms of Redis."""

FINISH_S = 120.0
"""Longest time to catch up with a bucket that keeps moving. An attempt takes some 5 ms and succeeds when no batch
arrives meanwhile, so hundreds of failures in a row have another cause."""

MOST_LOST = 20
"""Changes of a building that a rebuild tolerates before it stops: Redis restarts and edits are rarer."""


class Rebuilding:
    """One rebuild of some tenants. `from_store`: from the stored tickets instead of the log."""

    def __init__(
        self,
        store: BuildingStore,
        filling: Filling,
        step: BuildStep,
        clock: Clock,
        topic_id: str,
        beginnings: Mapping[int, Position],
        say: Say,
        *,
        from_store: bool,
    ) -> None:
        self._store = store
        self._filling = filling
        self._step = step
        self._clock = clock
        self._topic_id = topic_id
        self._beginnings = beginnings
        self._say = say
        self._from_store = from_store
        self.left: list[str] = []
        """Tenants that are not swapped yet."""
        self.swapped: dict[str, str] = {}
        """The new generation of each swapped tenant."""
        self._built: dict[str, str] = {}
        """The generation of each attempted swap: after a time-out only the store knows whether it took place."""
        self._emptied: set[Orphan] = set()
        """Orphaned generations whose tickets are deleted, but which may still have counters without tickets."""
        self._copied: dict[str, str] = {}
        """The store run in which the stored tickets were copied into a generation."""

    async def run(self, tenants: Sequence[str]) -> None:
        """Rebuilds and swaps every tenant. Raises RebuildRefused."""
        self.left, lost, backoff = sorted(tenants), 0, Backoff()
        while self.left or self._emptied:
            try:
                jobs = [job for name in self.left if (job := await self._job(name)) is not None]
                self.left = [job.name for job in jobs]
                await self._fill(jobs)
                for job in jobs:
                    await self._finish(job)
                    self.left.remove(job.name)
                    await self.collect(job.name)
                    backoff = Backoff()
                await self.settle()
            except OffsetOutOfRangeError as error:
                raise RebuildRefused(
                    f"the log lost records before they were read: {error}; use --from-store"
                ) from error
            except BuildingChanged as reason:
                lost += 1
                if lost > MOST_LOST:
                    raise RebuildRefused(
                        f"the building changed {lost} times, the last time because {reason}"
                    ) from reason
                self._say(f"reading the building again: {reason}")
            except (*RETRIED, LogSilent) as error:
                if remedy_of(error) is not Remedy.AGAIN:
                    raise RebuildRefused(f"no retry cures this: {cause_of(error)}") from error
                self._say(f"waiting for Redis and Kafka: {cause_of(error)}")
                await backoff.pause()

    async def give_up(self, tenant: str) -> bool:
        """Removes the unfinished generation of a tenant. Returns whether there was one."""
        building = await self._store.building(tenant)
        if building is not None:
            await self._store.begin_building(tenant, building.generation, None)
        await self.collect(tenant)
        return building is not None

    async def collect(self, tenant: str) -> None:
        """Deletes the tenant's orphaned generations, except counters without tickets, which `settle` deletes."""
        for orphan in await self._store.orphans():
            if orphan[0] == tenant:
                await collect_tickets(self._store, orphan)
                self._emptied.add(orphan)

    async def settle(self) -> None:
        """Deletes the remaining counters of all collected generations, in one scan over all keys."""
        await collect_counters(self._store, self._emptied)
        self._emptied.clear()

    async def _job(self, name: str) -> Job | None:
        """Begins or resumes the tenant's building; None when its new generation already serves."""
        stored = await self._stored(name)
        if self._built.get(name) == stored.generation:
            self.swapped[name] = stored.generation
            self._say(f"{name}: swapped")
            await self.collect(name)
            return None
        state = (await self._store.states([self._store.bucket(name)]))[self._store.bucket(name)]
        if state.topic not in ("", self._topic_id):
            raise RebuildRefused(f"{name} was counted from another events topic (id {state.topic})")
        last = await self._store.building(name)
        if last is not None and self._can_go_on(last, stored):
            self._say(f"{name}: going on with generation {last.generation}")
            evaluated = evaluated_by(stored.record) if last.record_version == stored.record_version else None
            job = Job(last, _compiled(last, stored), evaluated)
            await self._adopt(job, stored)
            return job
        return await self._begin(name, stored, state, last)

    async def _begin(self, name: str, stored: StoredTenant, state: BucketState, last: Building | None) -> Job:
        # From the store: the copied tickets are at these positions or later, so the log is read from here.
        positions = state.positions if self._from_store else {}
        new = Building(
            name,
            new_random_id(),
            stored.generation,
            stored.record_version,
            evaluated_by(stored.record),
            self._from_store,
            BucketState(self._topic_id, positions),
        )
        if not await self._store.begin_building(name, last.generation if last else None, new):
            raise BuildingChanged(f"another process changed {name}")
        self._say(f"{name}: generation {new.generation} begun" + (", an abandoned one is dropped" if last else ""))
        await self.collect(name)
        return Job(new, _compiled(new, stored), new.complete)

    def _can_go_on(self, last: Building, stored: StoredTenant) -> bool:
        state = last.state
        return (
            last.base == stored.generation
            and last.from_store == self._from_store
            and state.topic == self._topic_id
            and (last.merged_from is None or last.merged_from > self._latest())
            and all(state.positions.get(partition, 0) >= begins for partition, begins in self._beginnings.items())
        )

    async def _stored(self, name: str) -> StoredTenant:
        stored = await self._store.tenant(name)
        if stored is None:
            raise RebuildRefused(f"there is no tenant {name}")
        return stored

    async def _fill(self, jobs: Sequence[Job]) -> None:
        if jobs and not self._from_store:
            await self._filling.from_log(jobs)
        runs = (await self._store.runs()).buckets
        for job in jobs:
            run = runs[self._store.bucket(job.name)]
            if self._from_store and self._copied.get(job.building.generation) != run:
                await self._filling.copy(job)
                self._copied[job.building.generation] = run

    async def _finish(self, job: Job) -> None:
        """Brings the new generation to the bucket's positions, then swaps the two.

        Events go on meanwhile, so it may take several tries."""
        await self._complete(job)
        await self._merge(job)
        loop, bucket = asyncio.get_running_loop(), self._store.bucket(job.name)
        give_up, reasons = loop.time() + FINISH_S, Counter[str]()
        while True:
            state = (await self._store.states([bucket]))[bucket]
            await self._filling.up_to([job], state.positions, None)
            self._built[job.name] = job.building.generation
            outcome = await self._store.swap(job.building, new_random_id(), self._latest())
            match outcome:
                case Swapped():
                    self.swapped[job.name] = job.building.generation
                    self._say(_compared(job, outcome))
                    return
                case Gone():
                    raise BuildingChanged(f"another process has rebuilt or removed {job.name}")
                case NotYet(why):
                    reasons[why] += 1
                    await self._catch_up(job, why, state)
            if loop.time() > give_up:
                raise RebuildRefused(
                    f"{job.name} changes faster than this process catches up ({reasons.total()} attempts in "
                    f"{FINISH_S:.0f} s: {dict(reasons)}); run it again under less load, it resumes here"
                )

    async def _catch_up(self, job: Job, why: str, state: BucketState) -> None:
        if why in (AHEAD, LAPSED, OTHER_TOPIC):
            await self._store.begin_building(job.name, job.building.generation, None)
            raise BuildingChanged(f"{job.name} has to start again ({why})")
        if why == OTHER_RECORD:
            await self._complete(job)
        elif why == DUE and state.timers is not None:
            await self._step.fire(job, state.timers)

    async def _complete(self, job: Job) -> None:
        """Brings the building to the tenant's record, with every ticket evaluated by every column in force."""
        while True:
            stored = await self._stored(job.name)
            if stored.generation != job.building.base:
                raise BuildingChanged(f"another process has rebuilt {job.name}")
            if stored.record_version != job.building.record_version:
                await self._adopt(job, stored)
            evaluated = evaluated_by(stored.record)
            needed = in_force(stored.record)
            if needed.items() <= job.building.complete.items():
                job.in_force = frozenset(needed.values())
                return
            if not needed.items() <= evaluated.items():
                raise RebuildRefused(
                    f"{job.name} still has columns of another release: let the consumers of this one run first"
                )
            await self._filling.backfill(job)
            await self._adopted(job, stored.record_version, evaluated)

    async def _adopt(self, job: Job, stored: StoredTenant) -> None:
        """Switches the building to this record. A column with another number is no longer complete.

        If the record lacks a column that tickets were evaluated by, the tickets still count in it. Then no column is
        complete, so every ticket is evaluated again. Example: evaluated by {a: 1, b: 2}, record {a: 1, c: 2}: none.
        """
        evaluated = evaluated_by(stored.record)
        has_all = job.evaluated is not None and job.evaluated.items() <= evaluated.items()
        job.compiled, job.evaluated = _compiled(job.building, stored), evaluated
        await self._adopted(
            job, stored.record_version, dict(evaluated.items() & job.building.complete.items()) if has_all else {}
        )

    async def _adopted(self, job: Job, record_version: str, complete: dict[str, int]) -> None:
        if not await self._store.adopt_building(job.building, record_version, complete):
            raise BuildingChanged(f"another process changed {job.name}")
        found = await self._store.building(job.name)
        if found is None or found.record_version != record_version:
            raise BuildingChanged(f"another process changed {job.name}")
        job.building = found

    async def _merge(self, job: Job) -> None:
        since = self._clock.now_us() + MERGE_AFTER_US
        while await self._store.merge_due(job.building, since, MERGE_BATCH) == MERGE_BATCH:
            pass

    def _latest(self) -> int:
        return self._clock.now_us() + CLOCKS_APART_US


def _compiled(building: Building, stored: StoredTenant) -> CompiledTenant:
    """Compiles the tenant's record for steps that write to the building, not to what serves."""
    return compile_tenant(building.tenant, StoredTenant(stored.record_version, building.generation, stored.record))


def _compared(job: Job, swapped: Swapped) -> str:
    """Describes how the swap changed the answers: ignores columns that are not in force."""
    before, after = swapped.before, swapped.after
    differ = sum(before.get(column, 0) != after.get(column, 0) for column in job.in_force)
    counts = f"{differ} of {len(job.in_force)} counts differ" if differ else "every count as before"
    tickets = f"{after.get(0, 0):,} tickets (before {before.get(0, 0):,})"
    return f"{job.name}: swapped at version {swapped.version}, {tickets}, {counts}"
