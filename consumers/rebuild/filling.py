"""Brings buildings up to where their buckets stand: from the log's start, or over the stored tickets. Never swaps.

Records beyond a bucket's own positions are left to later: so a building never has what its bucket hasn't, and whatever
may happen only once (a tombstone without sequence, a dead letter) is never met twice.
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
"""How often the positions of buildings without events are raised: what a killed rebuild reads again at most."""


class Filling:
    """Fills any number of buildings in one pass over the log, at most so many records and events at a time."""

    def __init__(
        self,
        store: BuildingStore,
        log: EventsLog,
        step: BuildStep,
        room: MemoryBudget,
        say: Say,
        *,
        batch_records: int,
        apply_events: int,
    ) -> None:
        self._store = store
        self._log = log
        self._step = step
        self._room = room
        self._say = say
        self._batch_records = batch_records
        self._apply_events = apply_events
        self._marked = 0.0
        self.progress = ProgressReport(say, "nothing", 0)
        """Of the work at hand, or of the last."""

    async def from_log(self, jobs: Sequence[Job]) -> None:
        """Returns when no bucket is ahead of its buildings by more than came in during the last pass."""
        while True:
            target = await self._common_target(jobs)
            own = {p: min(job.positions.get(p, 0) for job in jobs) for p in target}
            left = sum(max(0, end - own[p]) for p, end in target.items())
            if not left:
                return
            self.progress = ProgressReport(self._say, f"{_names(jobs)}: records", left)
            await self.up_to(jobs, {p: max(end, own[p]) for p, end in target.items()}, self.progress)

    async def up_to(self, jobs: Sequence[Job], target: Mapping[int, Position], progress: ProgressReport | None) -> None:
        """Reads the log up to these offsets, and applies what it has of the jobs' tenants."""
        if all(job.positions.get(partition, 0) >= end for job in jobs for partition, end in target.items()):
            return
        await self._log.seek({p: min(job.positions.get(p, 0) for job in jobs) for p in target})
        reached: Mapping[int, Position] = {}
        while any(reached.get(partition, -1) < end for partition, end in target.items()):
            records, reached = await self._log.read(target, self._batch_records)
            done = all(reached[partition] >= end for partition, end in target.items())
            await self._apply(jobs, records, reached, mark=done or self._is_time_to_mark())
            if progress is not None and progress.add(len(records)):
                await self._room.check(jobs)

    async def copy(self, job: Job) -> None:
        """Takes every stored ticket over; what changes meanwhile is found in the log."""
        total = await self._store.ticket_count(job.name, job.building.base)
        self.progress = ProgressReport(self._say, f"{job.name}: stored tickets", total)
        await self._over_all(job, job.building.base)

    async def sweep(self, job: Job) -> None:
        """Asks every ticket of the building about all columns of the record at hand."""
        total = await self._store.ticket_count(job.name, job.building.generation)
        self.progress = ProgressReport(self._say, f"{job.name}: tickets asked about newer columns", total)
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
                await self._room.check([job])
            if cursor == 0:
                break
        if await run_of(self._store, job.name) != run:  # another one orders its tickets otherwise
            raise BuildingChanged("another run of the store")

    async def _common_target(self, jobs: Sequence[Job]) -> dict[int, Position]:
        """What the buckets of all of them have."""
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


def _incoming(record: Read, wanted: Mapping[str, object]) -> Incoming | None:
    """What a record says of a wanted tenant. A bad one says nothing: it is a dead letter already."""
    if record.key is not None and record.key.partition(b"/")[0].decode(errors="replace") not in wanted:
        return None  # a key that says otherwise than the record is bad
    if isinstance(record, FlawedRecord):
        return None
    try:
        event = decode(record.key, record.value, record.headers, record.timestamp)
    except PoisonEvent:
        return None
    return Incoming(record.partition, record.offset, event, record) if event.tenant in wanted else None


def _names(jobs: Sequence[Job]) -> str:
    return jobs[0].name if len(jobs) == 1 else f"{len(jobs)} tenants"
