"""Applies events to buckets: sequences, dead letters, positions, unknown ids. Writes only through the step engine."""

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
    """Applies the events of one bucket at a time. `known` holds the last position written or read per partition."""

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
        """Replaces the known positions by those in `states`, for the assigned `partitions` only.

        Buckets without a state are away; their known positions stay, to tell later whether they lost writes. Positions
        of partitions that are no longer assigned are dropped: after a failover their new owner may still be applying
        records again, and a lower position there is no new loss.
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
        """Applies events of one bucket and stores the positions of `goals`, atomically. Retries until it is written.

        Raises Rewind, ForeignTopic, OlderCode, Flood, KafkaError for a dead letter that isn't acknowledged, and
        StoreUnavailable when the store is away for `patience_s`.
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
        """Applies the events at or above the stored positions and counts the results.

        Returns the events that can't be applied, each with the reason.
        """
        bad: list[tuple[Incoming, str]] = []
        results: dict[str, int] = {}
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
            results[result] = results.get(result, 0) + 1
            change = one.event.change
            if result in _APPLIED and (not isinstance(change, Ticket) or builder.tenant.unknown(change)):
                self._note_unknown(one.event, builder)
        for result, count in results.items():
            self._metrics.events[result].inc(count)
        return bad

    def _note_unknown(self, event: TicketEvent, builder: TenantBatchBuilder) -> None:
        """Counts and records the ids in an applied event that the catalogue doesn't know.

        For a patch only the ids that the patch itself sets.
        """
        change = event.change
        ticket = builder.ticket(event.ticket) if isinstance(change, Patch) else change
        if ticket is None:
            return
        for field, id_ in builder.tenant.unknown(ticket).items():
            if not isinstance(change, Patch) or field in change.members:
                self._metrics.unknown_ids[field].inc()
                self.unknown_ids.add(event.tenant, event.ticket, field, id_)

    async def _park(self, bad: Sequence[tuple[Incoming, str]]) -> None:
        """Sends dead letters and waits until they are acknowledged, before the step may raise the position."""
        places = [await self._dead_letters.park(one.letter, reason) for one, reason in bad]
        await self._dead_letters.acknowledged(places)
