"""Fills buildings up to their buckets' positions, from the log or from the stored tickets. Never swaps.

Never reads beyond a bucket's own positions. So a building never has an event that its bucket lacks, and the consumer
has already handled each record whose handling isn't repeatable (a tombstone without sequence, a dead letter).
"""

import asyncio
from collections.abc import Mapping, Sequence

from consumers.backfill.generation_gc import FIRST_SCAN_BATCH, REST_SHARE, SCAN_BATCH, SCAN_BATCH_S
from consumers.coordination.store_runs import run_of
from consumers.decoding.event_record import decode
from consumers.engine.batch_processor import portions
from consumers.errors import BuildingChanged
from consumers.fetching.batches import Read
from consumers.fetching.flawed import FlawedRecord
from consumers.progress import ProgressReport, Say
from consumers.rebuild.build_step import BuildStep, Job
from consumers.rebuild.events_log import EventsLog
from consumers.rebuild.memory_budget import MemoryBudget
from consumers.types import Goal, Incoming
from service.domain.tickets.event import PoisonEvent
from service.store.page_size import PageSize
from service.store.ports.building import BuildingStore
from service.store.ports.catalogue import Position
from service.store.ports.steps import BucketState

MARK_S = 5.0
"""Seconds between two writes of the positions of idle buildings: a killed rebuild reads at most so much again."""


class Filling:
    """Fills many buildings in one pass over the log: `batch_records` per read, `apply_events` per step."""

    def __init__(
        self,
        store: BuildingStore,
        log: EventsLog,
        step: BuildStep,
        budget: MemoryBudget,
        say: Say,
        *,
        batch_records: int,
        apply_events: int,
    ) -> None:
        self._store = store
        self._log = log
        self._step = step
        self._budget = budget
        self._say = say
        self._batch_records = batch_records
        self._apply_events = apply_events
        self._marked = 0.0
        self.progress = ProgressReport(say, "nothing", 0)
        """The progress of the current pass, or of the last one."""

    async def from_log(self, jobs: Sequence[Job]) -> None:
        """Reads the log in passes, until the buildings have reached the lowest position of their buckets."""
        while True:
            target = await self._common_target(jobs)
            own = {p: min(job.positions.get(p, 0) for job in jobs) for p in target}
            left = sum(max(0, end - own[p]) for p, end in target.items())
            if not left:
                return
            self.progress = ProgressReport(self._say, f"{_names(jobs)}: records", left)
            await self.up_to(jobs, {p: max(end, own[p]) for p, end in target.items()}, self.progress)

    async def up_to(self, jobs: Sequence[Job], target: Mapping[int, Position], progress: ProgressReport | None) -> None:
        """Reads the log up to these offsets, and applies the events of the jobs' tenants."""
        if all(job.positions.get(partition, 0) >= end for job in jobs for partition, end in target.items()):
            return
        await self._log.seek({p: min(job.positions.get(p, 0) for job in jobs) for p in target})
        reached: Mapping[int, Position] = {}
        while any(reached.get(partition, -1) < end for partition, end in target.items()):
            records, reached = await self._log.read(target, self._batch_records)
            done = all(reached[partition] >= end for partition, end in target.items())
            await self._apply(jobs, records, reached, mark=done or self._is_time_to_mark())
            if progress is not None and progress.add(len(records)):
                await self._budget.check(jobs)

    async def copy(self, job: Job) -> None:
        """Copies every stored ticket. The log then names the tickets that change during the copy."""
        total = await self._store.ticket_count(job.name, job.building.base)
        self.progress = ProgressReport(self._say, f"{job.name}: stored tickets", total)
        await self._over_all(job, job.building.base)

    async def backfill(self, job: Job) -> None:
        """Evaluates every ticket of the building by all columns of the current record."""
        total = await self._store.ticket_count(job.name, job.building.generation)
        self.progress = ProgressReport(self._say, f"{job.name}: tickets evaluated by new columns", total)
        await self._over_all(job, job.building.generation)

    async def _over_all(self, job: Job, generation: str) -> None:
        run, cursor = await run_of(self._store, job.name), 0
        work = self._step.copy if generation == job.building.base else self._step.reevaluate
        loop, size = asyncio.get_running_loop(), PageSize(FIRST_SCAN_BATCH, SCAN_BATCH, SCAN_BATCH_S)
        while True:
            began = loop.time()
            cursor, found = await self._store.scan(job.name, generation, cursor, size.tickets)
            if found:
                await work(job, sorted(set(found)))
            took = loop.time() - began
            size.note(took)
            await asyncio.sleep(REST_SHARE * took)
            if self.progress.add(len(found)):
                await self._budget.check([job])
            if cursor == 0:
                break
        if await run_of(self._store, job.name) != run:  # another run scans in another order
            raise BuildingChanged("the store restarted or failed over")

    async def _common_target(self, jobs: Sequence[Job]) -> dict[int, Position]:
        """Returns the lowest position of the jobs' buckets, by partition."""
        buckets = sorted({self._store.bucket(job.name) for job in jobs})
        states: Sequence[BucketState] = list((await self._store.states(buckets)).values())
        partitions = {partition for state in states for partition in state.positions}
        return {p: min(state.positions.get(p, 0) for state in states) for p in sorted(partitions)}

    def _is_time_to_mark(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._marked + MARK_S:
            return False
        self._marked = now
        return True

    async def _apply(
        self, jobs: Sequence[Job], records: Sequence[Read], reached: Mapping[int, Position], *, mark: bool
    ) -> None:
        by_tenant: dict[str, list[Incoming]] = {job.name: [] for job in jobs}
        positions = {job.name: job.positions for job in jobs}
        for record in records:
            one = _incoming(record, by_tenant)
            if one is not None and one.offset >= positions[one.event.tenant].get(one.partition, 0):
                by_tenant[one.event.tenant].append(one)
        goals = {partition: Goal(position, None) for partition, position in reached.items()}
        results = await asyncio.gather(
            *(self._one(job, by_tenant[job.name], goals) for job in jobs if mark or by_tenant[job.name]),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _one(self, job: Job, incoming: Sequence[Incoming], goals: Mapping[int, Goal]) -> None:
        for part, reached in portions(incoming, goals, self._apply_events):
            await self._step.events(job, part, reached)


def _incoming(record: Read, tenants: Mapping[str, object]) -> Incoming | None:
    """Returns the event of a record, if its tenant is among `tenants`. Skips poison events: they are dead letters."""
    if record.key is not None and record.key.partition(b"/")[0].decode(errors="replace") not in tenants:
        return None  # a record whose key names another tenant than its value is poison
    if isinstance(record, FlawedRecord):
        return None
    try:
        event = decode(record.key, record.value, record.headers, record.timestamp)
    except PoisonEvent:
        return None
    return Incoming(record.partition, record.offset, event, record) if event.tenant in tenants else None


def _names(jobs: Sequence[Job]) -> str:
    return jobs[0].name if len(jobs) == 1 else f"{len(jobs)} tenants"
