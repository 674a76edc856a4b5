"""Applies events to buckets: the sequence rule, dead letters, positions and unknown ids. Writes by the step engine."""

import math
from collections.abc import Collection, Mapping, Sequence

from consumers.engine.serving import Positions, ServingBucket
from consumers.engine.step import Builders, Step, StepEngine, TargetRead
from consumers.engine.tenant_batch import TenantBatchBuilder
from consumers.engine.tenants import Tenants
from consumers.engine.unknown_ids import UnknownIds
from consumers.metrics import ConsumerMetrics
from consumers.types import Goal, Incoming, Parking
from service.clock import Clock
from service.domain.tickets.event import Patch, PoisonEvent, TicketEvent
from service.domain.tickets.ticket import Ticket
from service.store.ports.catalogue import Bucket, Position
from service.store.ports.steps import BucketState, EventStore

_APPLIED = ("applied", "applied_after_gap")


class EventStep:
    """Remembers, per bucket and partition, the last position it wrote or read there."""

    def __init__(
        self,
        store: EventStore,
        tenants: Tenants,
        dead_letters: Parking,
        clock: Clock,
        metrics: ConsumerMetrics,
        topic_id: str,
    ) -> None:
        self._store = store
        self._tenants = tenants
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._topic_id = topic_id
        self._engine = StepEngine(clock, metrics)
        self.unknown_ids = UnknownIds(clock)
        self.known: Positions = {}

    def start_at(self, states: Mapping[Bucket, BucketState], partitions: Collection[int]) -> None:
        """From now on these partitions are at hand, and what the store says of them is known; nothing else is.

        Of buckets without a state, which are away, what was known stays: it tells whether they lose writes meanwhile.

        What others write is theirs to watch over: of a partition that was at hand once, the store may be behind what
        is remembered for as long as its new owner needs to apply it again, or has the same to say of ours.
        """
        away = {place: position for place, position in self.known.items() if place[0] not in states}
        self.known = away | {
            (bucket, partition): position
            for bucket, state in states.items()
            for partition, position in state.positions.items()
            if partition in partitions
        }

    async def events(
        self, bucket: Bucket, incoming: Sequence[Incoming], goals: Mapping[int, Goal], patience_s: float = math.inf
    ) -> None:
        """Applies events of one bucket, then everything below `goals` is applied there.

        Returns only when that is so. Raises Rewind, ForeignTopic, OlderCode, and StoreUnavailable once the store was
        away for `patience_s`.
        """

        async def change(read: TargetRead, builders: Builders) -> None:
            await self._park(self._advance(incoming, read.loaded.state.positions, builders))

        tickets: dict[str, dict[str, None]] = {}
        for one in incoming:
            tickets.setdefault(one.event.tenant, {})[one.event.ticket] = None
        step = Step({tenant: list(ids) for tenant, ids in tickets.items()}, change if incoming else None, goals)
        target = ServingBucket(self._store, self._tenants, self._topic_id, bucket, self.known)
        await self._engine.run(target, step, patience_s)

    def _advance(
        self, incoming: Sequence[Incoming], applied: Mapping[int, Position], builders: Builders
    ) -> list[tuple[Incoming, str]]:
        """Applies those events that aren't applied yet, and counts what became of them; returns bad ones, and why."""
        bad: list[tuple[Incoming, str]] = []
        became: dict[str, int] = {}
        for one in incoming:
            if one.offset < applied.get(one.partition, 0):
                continue
            builder = builders.get(one.event.tenant)
            if builder is None:
                bad.append((one, "tenantid: no such tenant in the catalogue"))
                continue
            try:
                result = builder.advance(one.event)
            except PoisonEvent as poison:
                bad.append((one, str(poison)))
                continue
            became[result] = became.get(result, 0) + 1
            change = one.event.change
            if result in _APPLIED and (not isinstance(change, Ticket) or builder.tenant.unknown(change)):
                self._note_unknown(one.event, builder)
        for result, count in became.items():
            self._metrics.events[result].inc(count)
        return bad

    def _note_unknown(self, event: TicketEvent, builder: TenantBatchBuilder) -> None:
        """Counts and keeps the ids that an applied event names and the catalogue doesn't."""
        change = event.change
        ticket = builder.ticket(event.ticket) if isinstance(change, Patch) else change
        if ticket is None:
            return
        for field, id_ in builder.tenant.unknown(ticket).items():
            if not isinstance(change, Patch) or field in change.members:
                self._metrics.unknown_ids[field].inc()
                self.unknown_ids.met(event.tenant, event.ticket, field, id_)

    async def _park(self, bad: Sequence[tuple[Incoming, str]]) -> None:
        """Dead letters are acknowledged before the position moves, and a second attempt doesn't send them twice."""
        places = [await self._dead_letters.park(one.letter, reason) for one, reason in bad]
        await self._dead_letters.acknowledged(places)
