"""Writes a tenant's next generation: events, copies of served tickets, columns and time. Never touches what serves.

The store compares as it does for the serving generation, so two rebuilds at once do no harm.
"""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from consumers.backoff import before_redoing
from consumers.errors import BuildingChanged
from consumers.tenants import CompiledTenant
from consumers.timers import PAGE, fired_together
from consumers.types import Goal, Incoming
from consumers.work import Work, judged_at
from service.clock import Clock
from service.domain.columns import ColumnId
from service.domain.event import PoisonEvent
from service.domain.ticket import Image, Instant
from service.store.building import Building, BuildingStore
from service.store.port import (
    Applied,
    Batch,
    Behind,
    Conflict,
    Loaded,
    OtherTopic,
    Position,
    Progress,
    StaleCatalogue,
    Untimely,
)

log = structlog.get_logger()


class Job:
    """One tenant's building at hand. `positions` is how far this process has brought it, or has read that it is.

    `asked` are the columns, with their numbers, that its tickets have been asked about by the record that it is judged
    by; None where that record is gone.
    """

    def __init__(self, building: Building, compiled: CompiledTenant, asked: Mapping[ColumnId, int] | None) -> None:
        self.building = building
        self.compiled = compiled
        self.asked = asked
        self.positions: dict[int, Position] = dict(building.state.positions)
        self.in_force: frozenset[int] = frozenset()
        """The numbers of the columns that answers are made of, by the record that it was completed by."""

    @property
    def name(self) -> str:
        """The tenant."""
        return self.building.tenant


class BuildStep:
    """Each call raises BuildingChanged and StoreUnavailable; read the building again, then it may be done again."""

    def __init__(self, store: BuildingStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def events(self, job: Job, incoming: Sequence[Incoming], goals: Mapping[int, Goal]) -> None:
        """Applies events; then everything below `goals` is in the building. What is bad in them is parked already."""
        redoing = before_redoing()
        while not await self._try_events(job, incoming, goals):
            await redoing.pause()
        for partition, goal in goals.items():
            job.positions[partition] = max(job.positions.get(partition, 0), goal.position)

    async def recount(self, job: Job, tickets: Sequence[str]) -> None:
        """Asks the building's tickets about all columns again."""
        redoing = before_redoing()
        while True:
            loaded, timers, _ = await self._load(job, tickets, originals=False)
            work = self._work(job, loaded, timers)
            await work.recount(tickets)
            if not work.changed or await self._written(job, work, judged_at(loaded, timers)):
                return
            await redoing.pause()

    async def copy(self, job: Job, tickets: Sequence[str]) -> None:
        """Takes tickets over from the serving generation, as they are there."""
        redoing = before_redoing()
        while True:
            loaded, timers, originals = await self._load(job, tickets, originals=True)
            work = self._work(job, loaded, timers)
            for ticket in tickets:
                work.take(ticket, originals[ticket])
            if not work.changed or await self._written(job, work, judged_at(loaded, timers)):
                return
            await redoing.pause()

    async def rejudge(self, job: Job, through: Instant) -> None:
        """Brings the building's timers to that instant, with every ticket that is due by then judged again."""
        redoing = before_redoing()
        while page := await self._store.building_due(job.building, through, PAGE):
            together, at, some_of_many = fired_together(page, through)
            names = [one.ticket for one in together]
            loaded, _, _ = await self._load(job, names, originals=False)
            at = max(at, loaded.state.timers or at)
            work = self._work(job, loaded, through, at=at)
            for name in names:
                if not work.knows(name):
                    raise BuildingChanged(f"ticket {name} is due and isn't there")
                work.fire(name)
            if await self._written(job, work, at, some_of_many=some_of_many):
                redoing = before_redoing()
            else:
                await redoing.pause()

    async def _try_events(self, job: Job, incoming: Sequence[Incoming], goals: Mapping[int, Goal]) -> bool:
        names = list(dict.fromkeys(one.event.ticket for one in incoming))
        loaded, timers, originals = await self._load(job, names, originals=job.building.from_store)
        stored = loaded.state.positions
        work = self._work(job, loaded, timers)
        for one in incoming:
            if one.offset < stored.get(one.partition, 0):
                continue
            if job.building.from_store:  # the log only says which tickets have changed
                work.take(one.event.ticket, originals[one.event.ticket])
                continue
            try:
                work.advance(one.event)
            except PoisonEvent:  # a dead letter since it was read for the serving generation
                continue
        progress = {
            partition: Progress(stored.get(partition), goal.position, None) for partition, goal in goals.items()
        }
        return await self._written(job, work, judged_at(loaded, timers), progress)

    async def _load(
        self, job: Job, tickets: Sequence[str], *, originals: bool
    ) -> tuple[Loaded, Instant, Mapping[str, Image | None]]:
        """The building's tickets, the bucket's timers, and the serving generation's tickets where they are asked for.

        The building is never judged beyond the bucket's timers: at the swap it has to be what it is at those.
        """
        building = job.building
        bucket = self._store.bucket(job.name)
        served = {job.name: tickets if originals else []}
        serving, loaded = await asyncio.gather(
            self._store.load(bucket, served, {job.name: building.base}),
            self._store.load_building(building, tickets),
        )
        if loaded.tokens[job.name] != job.compiled.token:
            raise BuildingChanged("it is judged by another record now, or is gone")
        images = {name: serving.tickets[job.name, name].image for name in served[job.name]}
        return loaded, serving.state.timers or 0, images

    def _work(self, job: Job, loaded: Loaded, timers: Instant, *, at: Instant | None = None) -> Work:
        return Work(job.compiled, loaded, judged_at(loaded, timers) if at is None else at, self._clock.now_us())

    async def _written(
        self,
        job: Job,
        work: Work,
        at: Instant,
        progress: Mapping[int, Progress] | None = None,
        *,
        some_of_many: bool = False,
    ) -> bool:
        """Whether it is; else it has to be done again on newer ground."""
        bucket, topic = self._store.bucket(job.name), job.building.state.topic
        outcome = await self._store.apply_building(
            Batch(bucket, topic, progress or {}, [await work.batch()], at, some_of_many)
        )
        match outcome:
            case Applied(_, negative):
                if negative:
                    log.error("counters below zero in a rebuild", tenant=job.name, cells=negative)
                return True
            case Conflict() | Untimely():
                return False
            case StaleCatalogue() | Behind() | OtherTopic():
                raise BuildingChanged(f"the store says {type(outcome).__name__}")
