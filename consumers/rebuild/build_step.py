"""Steps of a tenant's next generation: events, copied tickets, new columns, timers. Never writes to the serving one.

The store applies the same guards as for the serving generation, so two rebuilds at once do no harm.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from consumers.engine.reevaluation import PAGE, fired_together
from consumers.engine.step import Builders, Step, StepEngine, TargetRead
from consumers.engine.tenants import CompiledTenant
from consumers.errors import BuildingChanged
from consumers.metrics import ConsumerMetrics
from consumers.types import Goal, Incoming
from service.clock import Clock
from service.domain.counting.columns import ColumnId
from service.domain.tickets.event import PoisonEvent
from service.domain.tickets.ticket import Instant
from service.store.ports.building import Building, BuildingStore
from service.store.ports.catalogue import Position
from service.store.ports.steps import Batch, Behind, Loaded, OtherTopic, Outcome, StaleCatalogue


class Job:
    """The unfinished generation ("building") of one tenant. `positions`: the offsets that it has reached.

    `evaluated`: column id -> number, for the columns that its tickets are counted in; None when the record with these
    numbers no longer exists.
    """

    def __init__(self, building: Building, compiled: CompiledTenant, evaluated: Mapping[ColumnId, int] | None) -> None:
        self.building = building
        self.compiled = compiled
        self.evaluated = evaluated
        self.positions: dict[int, Position] = dict(building.state.positions)
        self.in_force: frozenset[int] = frozenset()
        """The numbers of the columns in force, from the record for which the building was last completed."""

    @property
    def name(self) -> str:
        """The tenant."""
        return self.building.tenant


class BuildingTarget:
    """The target of steps that write to a building; see `Target`. Raises BuildingChanged when it is outdated."""

    def __init__(self, store: BuildingStore, job: Job, *, with_served: bool = False) -> None:
        """`with_served`: each read also returns the tickets' states in the serving generation."""
        self.bucket = store.bucket(job.name)
        self.topic_id = job.building.state.topic
        self.names_unchanged = True
        self._store = store
        self._job = job
        self._with_served = with_served

    async def tenants(self, names: Iterable[str]) -> Mapping[str, CompiledTenant]:
        return {self._job.name: self._job.compiled}

    async def reload(self, names: Iterable[str]) -> None:
        raise BuildingChanged("the tenant's record was changed or removed")

    async def load(self, tickets: Mapping[str, Sequence[str]], tenants: Mapping[str, CompiledTenant]) -> TargetRead:
        """Loads tickets, with the bucket's timers as the latest instant: at the swap both must be equal."""
        name, building = self._job.name, self._job.building
        served = {name: tickets[name] if self._with_served else []}
        serving, loaded = await asyncio.gather(
            self._store.load(self.bucket, served, {name: building.base}),
            self._store.load_building(building, tickets[name]),
        )
        ticket_states = {ticket: serving.tickets[name, ticket].ticket_state for ticket in served[name]}
        return TargetRead(loaded, serving.state.timers or 0, ticket_states)

    def known(self, partition: int, loaded: Loaded) -> Position | None:
        return loaded.state.positions.get(partition)

    async def apply(self, batch: Batch) -> Outcome:
        outcome = await self._store.apply_building(batch)
        if isinstance(outcome, StaleCatalogue | Behind | OtherTopic):
            raise BuildingChanged(f"the store refused a batch as {type(outcome).__name__}")
        return outcome


class BuildStep:
    """Runs steps. Each raises BuildingChanged and StoreUnavailable: read the building again, then repeat the step."""

    def __init__(self, store: BuildingStore, clock: Clock) -> None:
        self._store = store
        self._engine = StepEngine(clock, ConsumerMetrics())

    async def events(self, job: Job, incoming: Sequence[Incoming], goals: Mapping[int, Goal]) -> None:
        """Applies events, so that the building has everything below `goals`. Skips poison events (dead letters)."""
        from_store = job.building.from_store

        async def change(read: TargetRead, builders: Builders) -> None:
            applied = read.loaded.state.positions
            for one in incoming:
                if one.offset < applied.get(one.partition, 0):
                    continue
                if from_store:  # the log only names the changed tickets
                    builders[job.name].copy(one.event.ticket, read.served[one.event.ticket])
                    continue
                try:
                    builders[job.name].advance(one.event)
                except PoisonEvent:  # the consumer has already made it a dead letter
                    continue

        tickets = list(dict.fromkeys(one.event.ticket for one in incoming))
        target = BuildingTarget(self._store, job, with_served=from_store)
        await self._engine.run(target, Step({job.name: tickets}, change, goals))
        for partition, goal in goals.items():
            job.positions[partition] = max(job.positions.get(partition, 0), goal.position)

    async def reevaluate(self, job: Job, tickets: Sequence[str]) -> None:
        """Evaluates tickets of the building again, by all columns."""

        async def change(_: TargetRead, builders: Builders) -> None:
            await builders[job.name].reevaluate(tickets)

        await self._engine.run(BuildingTarget(self._store, job), Step({job.name: tickets}, change))

    async def copy(self, job: Job, tickets: Sequence[str]) -> None:
        """Copies tickets from the serving generation unchanged."""

        async def change(read: TargetRead, builders: Builders) -> None:
            for ticket in tickets:
                builders[job.name].copy(ticket, read.served[ticket])

        await self._engine.run(BuildingTarget(self._store, job, with_served=True), Step({job.name: tickets}, change))

    async def fire(self, job: Job, through: Instant) -> None:
        """Evaluates again every ticket that is due through that instant, and sets the building's timers to it."""
        target = BuildingTarget(self._store, job)
        await self._engine.retry(lambda: self._fire(target, job, through), target.bucket)

    async def _fire(self, target: BuildingTarget, job: Job, through: Instant) -> bool:
        """Fires due tickets page by page. Returns False when the store refuses a page."""
        while page := await self._store.building_due(job.building, through, PAGE):
            together, at, partial_due_batch = fired_together(page, through, PAGE)
            names = [one.ticket for one in together]

            async def change(_: TargetRead, builders: Builders, names: Sequence[str] = names) -> None:
                for name in names:
                    if not builders[job.name].knows(name):
                        raise BuildingChanged(f"ticket {name} is due, but isn't stored")
                    builders[job.name].fire(name)

            if not await self._engine.attempt(
                target, Step({job.name: names}, change, at=at, partial_due_batch=partial_due_batch)
            ):
                return False
        return True
