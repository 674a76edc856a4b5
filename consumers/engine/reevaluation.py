"""Evaluates stored tickets again without an event: for timers, backfills and audit repairs. Never changes a field."""

from collections.abc import Iterable, Sequence

from consumers.engine.serving import ServingBucket
from consumers.engine.step import Builders, Step, StepEngine, TargetRead
from consumers.engine.tenants import CompiledTenant, Tenants
from consumers.metrics import ConsumerMetrics
from service.clock import Clock
from service.domain.tickets.ticket import Instant
from service.store.ports.catalogue import Bucket
from service.store.ports.steps import DueTicket, TimerStore

PAGE = 100
"""Most due tickets in one script call: it blocks Redis for some 5 ms, and events wait that long."""


class Reevaluation:
    """Reevaluates tickets of serving generations. Each method raises StoreUnavailable, ForeignTopic and OlderCode."""

    def __init__(
        self, store: TimerStore, tenants: Tenants, clock: Clock, metrics: ConsumerMetrics, topic_id: str
    ) -> None:
        self._store = store
        self._tenants = tenants
        self._topic_id = topic_id
        self._engine = StepEngine(clock, metrics)

    async def fire(self, bucket: Bucket, due: Sequence[DueTicket], at: Instant, *, partial_due_batch: bool) -> int:
        """Makes one attempt to apply due tickets as of the instant `at`; returns how many it wrote.

        Tickets that another writer changed meanwhile stay due.
        """
        target = self._target(bucket)
        compiled = await self._tenants.synchronized({one.tenant for one in due})
        # After a rebuild the due tickets belong to a generation that this process doesn't know yet.
        other = {one.tenant for one in due if one.tenant in compiled and not _is_of(one, compiled[one.tenant])}
        if other:
            await self._engine.reload(target, other)
            compiled = await self._tenants.synchronized({one.tenant for one in due})
        current = [one for one in due if one.tenant in compiled and _is_of(one, compiled[one.tenant])]
        await self._store.forget_due(bucket, [one for one in due if one not in current])
        tickets: dict[str, list[str]] = {}
        for one in current:
            tickets.setdefault(one.tenant, []).append(one.ticket)

        async def change(_: TargetRead, builders: Builders) -> None:
            for one in current:
                if one.tenant in builders and _is_of(one, builders[one.tenant].tenant):
                    builders[one.tenant].fire(one.ticket)

        step = Step(tickets, change, at=at, partial_due_batch=partial_due_batch)
        return len(current) if current and await self._engine.attempt(target, step) else 0

    async def touch(self, tenant: str, tickets: Sequence[str]) -> None:
        """Evaluates tickets by their tenant's current columns and writes those whose contributions change."""

        async def change(_: TargetRead, builders: Builders) -> None:
            for builder in builders.values():
                await builder.reevaluate(tickets)

        if await self._tenants.synchronized([tenant]):
            await self._engine.run(self._target(self._store.bucket(tenant)), Step({tenant: tickets}, change))

    async def repair(self, tenant: str, generation: str, tickets: Iterable[str]) -> None:
        """Makes one attempt to rewrite the contributions and due instants of tickets. See `tenant_audit.Mender`."""
        due = [DueTicket(tenant, generation, ticket, 0) for ticket in tickets]
        await self.fire(self._store.bucket(tenant), due, 0, partial_due_batch=False)

    def _target(self, bucket: Bucket) -> ServingBucket:
        return ServingBucket(self._store, self._tenants, self._topic_id, bucket)


def fired_together(
    page: Sequence[DueTicket], now: Instant, page_size: int
) -> tuple[Sequence[DueTicket], Instant, bool]:
    """Returns the arguments for `fire`: tickets, instant, and whether the page is a partial due batch.

    A page that isn't full is fired whole, at `now`. A full page may have only some of the tickets due at its last
    instant, so only the earlier ones are fired, a microsecond before that instant. When the whole page is due at one
    instant, it is fired as a partial due batch.

    Example with 3 tickets a page: due at 1, 2, 2 → fires the first, at instant 1. Due at 2, 2, 2 → fires all three at
    2, and the bucket's timers don't move past 2 until the rest is fired.
    """
    if len(page) < page_size:
        return page, now, False
    last = page[-1].due_at
    earlier = [ticket for ticket in page if ticket.due_at < last]
    return (earlier, last - 1, False) if earlier else (page, last, True)


def _is_of(due: DueTicket, tenant: CompiledTenant) -> bool:
    return due.generation == tenant.generation
