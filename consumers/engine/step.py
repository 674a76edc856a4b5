"""The step engine: load tickets of one bucket, change them in memory, write what changed, match the outcome.

Events, due tickets, backfills, repairs and rebuilds are all written by it. It never trusts what it read to be still
true: the store compares, writes all or nothing, and says what to do next. It knows no Kafka client.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
import structlog

from consumers.backoff import Backoff, before_redoing
from consumers.engine.tenant_batch import TenantBatchBuilder, evaluated_at
from consumers.engine.tenants import CompiledTenant
from consumers.metrics import ConsumerMetrics
from consumers.types import Goal
from service.clock import Clock
from service.domain.tickets.ticket import Instant, TicketState
from service.store.ports.catalogue import Bucket, Position
from service.store.ports.errors import StoreDenied, StoreUnavailable
from service.store.ports.steps import (
    Applied,
    Batch,
    BucketState,
    Conflict,
    DueConflict,
    Loaded,
    Outcome,
    PartitionProgress,
    StaleCatalogue,
)

log = structlog.get_logger()


class TargetRead(msgspec.Struct, frozen=True):
    """One read of a target."""

    loaded: Loaded
    latest: Instant | None = None
    """Tickets may not be evaluated later than this; None for now."""
    served: Mapping[str, TicketState | None] = {}
    """Of a building: the tickets in the generation that serves, where the target was asked for them."""


Builders = Mapping[str, TenantBatchBuilder]
"""By tenant."""

_NOTHING_READ = TargetRead(Loaded(BucketState("", {}), {}, {}))


class Step(msgspec.Struct, frozen=True):
    """What is done to which tickets. Each attempt calls `change` with what it has read."""

    tickets: Mapping[str, Sequence[str]]
    """Ids by tenant. Without a tenant nothing is read and only positions are raised."""
    change: Callable[[TargetRead, Builders], Awaitable[None]] | None = None
    goals: Mapping[int, Goal] = {}
    at: Instant | None = None
    """When tickets are evaluated, or at the target's timers where those are later. None: see `evaluated_at`."""
    partial_due_batch: bool = False
    """See `Batch`."""


class StepTarget(Protocol):
    """What a step reads and writes: the serving generations of a bucket, or one generation that is being built.

    Each method raises StoreUnavailable, and the target's own error where no further attempt helps.
    """

    @property
    def bucket(self) -> Bucket:
        """The bucket."""

    @property
    def topic_id(self) -> str:
        """The events topic that its positions belong to."""

    @property
    def names_unchanged(self) -> bool:
        """Whether a write names tenants of which nothing changed, so that the store compares their records too."""

    async def tenants(self, names: Iterable[str]) -> Mapping[str, CompiledTenant]:
        """The tenants of these names; those that there are."""

    async def reload(self, names: Iterable[str]) -> None:
        """The records of these tenants have changed: compiles them anew."""

    async def load(self, tickets: Mapping[str, Sequence[str]], tenants: Mapping[str, CompiledTenant]) -> TargetRead:
        """One atomic read."""

    def known(self, partition: int, loaded: Loaded) -> Position | None:
        """The position below which the store can't be without having lost writes."""

    async def apply(self, batch: Batch) -> Outcome:
        """One atomic write."""


class StepEngine:
    """Attempts steps until they are written. The retry policy of everything that writes tickets is here."""

    def __init__(self, clock: Clock, metrics: ConsumerMetrics) -> None:
        self._clock = clock
        self._metrics = metrics

    async def run(self, target: StepTarget, step: Step, patience_s: float = 0.0) -> None:
        """Returns once the step is written. Raises StoreUnavailable once the store was away for `patience_s`."""
        await self.retry(lambda: self.attempt(target, step), target.bucket, patience_s)

    async def retry(self, attempt: Callable[[], Awaitable[bool]], bucket: Bucket, patience_s: float = 0.0) -> None:
        """Repeats an attempt until it returns True.

        An attempt that the store refused is repeated after some milliseconds, since somebody else was quicker. One that
        didn't reach the store is repeated with longer pauses, for `patience_s`.
        """
        loop = asyncio.get_running_loop()
        backoff, redoing, away_since = Backoff(), before_redoing(), math.inf
        while True:
            try:
                if await attempt():
                    return
                backoff, away_since = Backoff(), math.inf
                await redoing.pause()
            except StoreDenied:
                raise
            except StoreUnavailable as error:
                self._metrics.store_failures.inc()
                away_since = min(away_since, loop.time())
                if loop.time() - away_since >= patience_s:
                    raise
                log.warning("store away, will try again", bucket=bucket, error=str(error))
                await backoff.pause()

    async def attempt(self, target: StepTarget, step: Step) -> bool:
        """One attempt; False when the store refused it, and it has to be repeated on what is stored by then."""
        tenants = await target.tenants(step.tickets)
        read = _NOTHING_READ
        if step.tickets:
            read = await target.load({name: step.tickets[name] for name in tenants}, tenants)
        loaded = read.loaded
        stale = [
            name
            for name, record_version in loaded.record_versions.items()
            if record_version != tenants[name].record_version
        ]
        if stale:
            await self.reload(target, stale)
            return False
        now = self._clock.now_us()
        if step.at is None:
            at = evaluated_at(loaded, now if read.latest is None else read.latest)
        else:
            at = max(step.at, loaded.state.timers or step.at)
        builders = {name: TenantBatchBuilder(tenant, loaded, at, now) for name, tenant in tenants.items()}
        if step.change is not None:
            await step.change(read, builders)
        written = [await builder.build() for builder in builders.values() if builder.changed or target.names_unchanged]
        progress = {  # last, since the age in it grows
            partition: PartitionProgress(target.known(partition, loaded), goal.position, goal.lag_ms())
            for partition, goal in step.goals.items()
        }
        batch = Batch(target.bucket, target.topic_id, progress, written, at, step.partial_due_batch)
        return await self._is_written(target, await target.apply(batch))

    async def reload(self, target: StepTarget, names: Iterable[str]) -> None:
        """The records of these tenants have changed."""
        self._metrics.stale_catalogue.inc()
        await target.reload(names)

    async def _is_written(self, target: StepTarget, outcome: Outcome) -> bool:
        match outcome:
            case Applied(_, negative):
                if negative:
                    self._metrics.negative_cells.inc(negative)
                    log.error("counters below zero: there is drift, run an audit", bucket=target.bucket, cells=negative)
                return True
            case StaleCatalogue(tenants):
                await self.reload(target, tenants)
            case Conflict() | DueConflict():
                self._metrics.conflicts.inc()
        return False
