"""The step engine: load tickets of one bucket, change them in memory, write what changed, match the outcome.

Events, due tickets, backfills, repairs and rebuilds are all written this way. The engine never assumes that its read is
still current: the store compares the revisions, writes all or nothing, and returns the outcome. Uses no Kafka client.
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
    """The result of one read of a target."""

    loaded: Loaded
    latest: Instant | None = None
    """The latest instant at which tickets may be evaluated; None for now."""
    served: Mapping[str, TicketState | None] = {}
    """For a generation that is being built: the same tickets in the serving generation, if the target reads them."""


Builders = Mapping[str, TenantBatchBuilder]
"""Batch builders by tenant."""

_NOTHING_READ = TargetRead(Loaded(BucketState("", {}), {}, {}))


class Step(msgspec.Struct, frozen=True):
    """A change to tickets of one bucket. Each attempt reads the tickets and calls `change` with the result."""

    tickets: Mapping[str, Sequence[str]]
    """Ticket ids by tenant. When empty, the step reads nothing and only raises positions."""
    change: Callable[[TargetRead, Builders], Awaitable[None]] | None = None
    goals: Mapping[int, Goal] = {}
    """The positions to store, by partition."""
    at: Instant | None = None
    """The instant to evaluate tickets at, or the bucket's timers instant if that is later. None: `evaluated_at`."""
    partial_due_batch: bool = False
    """See `Batch`."""


class StepTarget(Protocol):
    """What a step reads and writes: the serving generations of a bucket, or one generation that is being built.

    Each method may raise StoreUnavailable, or an error of the target's own when no further attempt helps.
    """

    @property
    def bucket(self) -> Bucket:
        """The bucket."""

    @property
    def topic_id(self) -> str:
        """The id of the events topic that the positions belong to."""

    @property
    def names_unchanged(self) -> bool:
        """Whether a batch includes tenants without changes, so that the store compares their record versions too."""

    async def tenants(self, names: Iterable[str]) -> Mapping[str, CompiledTenant]:
        """Returns the compiled tenants of these names, without those that don't exist."""

    async def reload(self, names: Iterable[str]) -> None:
        """Compiles these tenants again, because their records have changed."""

    async def load(self, tickets: Mapping[str, Sequence[str]], tenants: Mapping[str, CompiledTenant]) -> TargetRead:
        """Reads the tickets atomically."""

    def known(self, partition: int, loaded: Loaded) -> Position | None:
        """Returns the partition's last known position: a store below it has lost writes. None if unknown."""

    async def apply(self, batch: Batch) -> Outcome:
        """Writes the batch atomically."""


class StepEngine:
    """Attempts steps until they are written: the retry policy of every write to tickets."""

    def __init__(self, clock: Clock, metrics: ConsumerMetrics) -> None:
        self._clock = clock
        self._metrics = metrics

    async def run(self, target: StepTarget, step: Step, patience_s: float = 0.0) -> None:
        """Returns once the step is written. Raises StoreUnavailable when the store is away for `patience_s`."""
        await self.retry(lambda: self.attempt(target, step), target.bucket, patience_s)

    async def retry(self, attempt: Callable[[], Awaitable[bool]], bucket: Bucket, patience_s: float = 0.0) -> None:
        """Repeats an attempt until it returns True.

        After a refusal by the store, when another writer was first, it pauses for milliseconds. While the store is away
        it backs off, and raises StoreUnavailable after `patience_s`.
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
        """Makes one attempt. Returns False when the store refused it: the next attempt has to read again."""
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
        progress = {  # computed last, because lag_ms grows
            partition: PartitionProgress(target.known(partition, loaded), goal.position, goal.lag_ms())
            for partition, goal in step.goals.items()
        }
        batch = Batch(target.bucket, target.topic_id, progress, written, at, step.partial_due_batch)
        return await self._is_written(target, await target.apply(batch))

    async def reload(self, target: StepTarget, names: Iterable[str]) -> None:
        """Counts and compiles tenants whose records have changed."""
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
