"""One step of one bucket: read its tickets, apply its events in memory, write what changed, atomically.

Never trusts what it read to be still true: the store compares, and says what to do next.
"""

import asyncio
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import structlog

from consumers.backoff import Backoff, before_redoing
from consumers.dead_letters import DeadLetters
from consumers.errors import ForeignTopic, Rewind
from consumers.kafka_errors import check_retry
from consumers.metrics import Metrics
from consumers.tenants import CompiledTenant, Tenants
from consumers.types import Goal, Incoming
from consumers.unknown_ids import UnknownIds
from consumers.work import Work, judged_at
from service.clock import Clock
from service.domain.event import Patch, PoisonEvent, TicketEvent
from service.domain.ticket import Instant, Ticket
from service.store.port import (
    Applied,
    Batch,
    Behind,
    Bucket,
    BucketState,
    Conflict,
    CounterStore,
    DueTicket,
    Loaded,
    OtherTopic,
    Position,
    Progress,
    StaleCatalogue,
    StoreUnavailable,
    TenantBatch,
    Untimely,
)

log = structlog.get_logger()

_APPLIED = ("applied", "applied_after_gap")


class Step:
    """Applies events to buckets. Remembers, per bucket and partition, the last position it wrote or read there."""

    def __init__(
        self,
        store: CounterStore,
        tenants: Tenants,
        dead_letters: DeadLetters,
        clock: Clock,
        metrics: Metrics,
        topic_id: str,
    ) -> None:
        self._store = store
        self._tenants = tenants
        self._dead_letters = dead_letters
        self._clock = clock
        self._metrics = metrics
        self._topic_id = topic_id
        self.unknown_ids = UnknownIds(clock)
        self.known: dict[tuple[Bucket, int], Position] = {}

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
        parked: set[tuple[int, Position]] = set()
        loop = asyncio.get_running_loop()
        backoff, redoing, away_since = Backoff(), before_redoing(), math.inf
        while True:
            try:
                if await self._attempt(bucket, incoming, goals, parked):
                    return
                backoff, away_since = Backoff(), math.inf
                await redoing.pause()
            except StoreUnavailable as error:
                check_retry(error)
                self._metrics.store_failures.inc()
                away_since = min(away_since, loop.time())
                if loop.time() - away_since >= patience_s:
                    raise
                log.warning("store away, will try again", bucket=bucket, error=str(error))
                await backoff.pause()

    async def fire(self, bucket: Bucket, due: Sequence[DueTicket], at: Instant, *, some_of_many: bool) -> int:
        """One try to apply tickets as they are at an instant by which they are due; how many were written.

        What was changed meanwhile by somebody else stays due. Raises StoreUnavailable, ForeignTopic, OlderCode.
        """
        compiled, _ = await self._compiled({one.tenant for one in due})
        # One that was rebuilt a moment ago is due in a generation that nothing else has made known here yet.
        other = {
            one.tenant for one in due if one.tenant in compiled and compiled[one.tenant].generation != one.generation
        }
        if other:
            await self._reload(other)
            compiled, _ = await self._compiled({one.tenant for one in due})
        current = [one for one in due if one.tenant in compiled and compiled[one.tenant].generation == one.generation]
        await self._store.forget_due(bucket, [one for one in due if one not in current])
        wanted: dict[str, list[str]] = {name: [] for name in compiled}
        for one in current:
            wanted[one.tenant].append(one.ticket)
        loaded = await self._store.load(bucket, wanted, {name: one.generation for name, one in compiled.items()})
        stale = [name for name, token in loaded.tokens.items() if token != compiled[name].token]
        if stale:
            await self._reload(stale)
            return 0
        at = max(at, loaded.state.timers or at)
        works = {name: Work(compiled[name], loaded, at, at) for name in wanted}
        for one in current:
            works[one.tenant].fire(one.ticket)
        tenants = [await work.batch() for work in works.values() if work.changed]
        if await self._written(Batch(bucket, self._topic_id, {}, tenants, at, some_of_many)):
            return len(current)
        return 0

    async def touch(self, tenant: str, tickets: Sequence[str]) -> None:
        """Asks tickets about their tenant's columns again, as if an event had changed nothing.

        Raises StoreUnavailable, ForeignTopic, OlderCode.
        """
        redoing = before_redoing()
        while True:
            compiled = await self._tenants.get(tenant)
            if compiled is None:
                return
            bucket = self._store.bucket(tenant)
            loaded = await self._store.load(bucket, {tenant: tickets}, {tenant: compiled.generation})
            if loaded.tokens[tenant] != compiled.token:
                await self._tenants.reload(tenant)
                await redoing.pause()
                continue
            now = self._clock.now_us()
            at = judged_at(loaded, now)
            work = Work(compiled, loaded, at, now)
            await work.recount(tickets)
            outcome = await self._store.apply(Batch(bucket, self._topic_id, {}, [await work.batch()], at))
            match outcome:
                case Applied():
                    self._note(outcome)
                    return
                case OtherTopic(topic):  # no second try would help
                    raise ForeignTopic(topic)
            await redoing.pause()

    async def _attempt(
        self,
        bucket: Bucket,
        incoming: Sequence[Incoming],
        goals: Mapping[int, Goal],
        parked: set[tuple[int, Position]],
    ) -> bool:
        """One try; False when it has to be done again on newer ground."""
        if not incoming:
            return await self._written(self._batch(bucket, goals, [], self._clock.now_us()))
        compiled, strangers = await self._compiled({one.event.tenant for one in incoming})
        loaded = await self._load(bucket, incoming, compiled)
        stale = [name for name, token in loaded.tokens.items() if token != compiled[name].token]
        if stale:
            await self._reload(stale)
            return False
        fresh = [one for one in incoming if one.offset >= loaded.state.positions.get(one.partition, 0)]
        letters = [(one, "tenantid: no such tenant in the catalogue") for one in fresh if one.event.tenant in strangers]
        now = self._clock.now_us()
        at = judged_at(loaded, now)
        works = {name: Work(tenant, loaded, at, now) for name, tenant in compiled.items()}
        letters += self._advance([one for one in fresh if one.event.tenant in works], works, compiled)
        await self._park(letters, parked)
        tenants = [await work.batch() for work in works.values() if work.changed]
        return await self._written(self._batch(bucket, goals, tenants, at))

    def _advance(
        self, incoming: Iterable[Incoming], works: Mapping[str, Work], compiled: Mapping[str, CompiledTenant]
    ) -> list[tuple[Incoming, str]]:
        """Takes events in, and notes what became of them; gives those that are bad, and why."""
        letters: list[tuple[Incoming, str]] = []
        became: dict[str, int] = {}
        for one in incoming:
            try:
                result = works[one.event.tenant].advance(one.event)
            except PoisonEvent as poison:
                letters.append((one, str(poison)))
                continue
            became[result] = became.get(result, 0) + 1
            change = one.event.change
            if result in _APPLIED and (not isinstance(change, Ticket) or compiled[one.event.tenant].unknown(change)):
                self._note_unknown(one.event, works[one.event.tenant], compiled[one.event.tenant])
        for result, count in became.items():
            self._metrics.events[result].inc(count)
        return letters

    def _note_unknown(self, event: TicketEvent, work: Work, compiled: CompiledTenant) -> None:
        """Counts and keeps the ids that an applied event names and the catalogue doesn't."""
        change = event.change
        ticket = work.patched(event.ticket) if isinstance(change, Patch) else change
        if ticket is None:
            return
        for field, id_ in compiled.unknown(ticket).items():
            if not isinstance(change, Patch) or field in change.members:
                self._metrics.unknown_ids[field].inc()
                self.unknown_ids.met(event.tenant, event.ticket, field, id_)

    def _batch(self, bucket: Bucket, goals: Mapping[int, Goal], tenants: Sequence[TenantBatch], now: Instant) -> Batch:
        progress = {
            partition: Progress(self.known.get((bucket, partition)), goal.position, goal.lag_ms())
            for partition, goal in goals.items()
        }
        return Batch(bucket, self._topic_id, progress, tenants, now)

    async def _compiled(self, names: Iterable[str]) -> tuple[dict[str, CompiledTenant], set[str]]:
        """The tenants of these names, and which of the names no tenant has."""
        compiled, strangers = {}, set()
        for name in names:
            tenant = await self._tenants.get(name)
            if tenant is None:
                strangers.add(name)
            else:
                compiled[name] = tenant
        return compiled, strangers

    async def _load(
        self, bucket: Bucket, incoming: Iterable[Incoming], compiled: Mapping[str, CompiledTenant]
    ) -> Loaded:
        wanted: dict[str, dict[str, None]] = {name: {} for name in compiled}
        for one in incoming:
            if one.event.tenant in wanted:
                wanted[one.event.tenant][one.event.ticket] = None
        loaded = await self._store.load(
            bucket,
            {name: list(tickets) for name, tickets in wanted.items()},
            {name: tenant.generation for name, tenant in compiled.items()},
        )
        if loaded.state.topic not in ("", self._topic_id):
            raise ForeignTopic(loaded.state.topic)
        for partition, position in loaded.state.positions.items():
            if position < self.known.get((bucket, partition), position):
                raise Rewind(bucket, loaded.state.positions)
        return loaded

    async def _reload(self, tenants: Iterable[str]) -> None:
        self._metrics.stale_catalogue.inc()
        for name in tenants:
            await self._tenants.reload(name)

    async def _park(self, letters: Sequence[tuple[Incoming, str]], parked: set[tuple[int, Position]]) -> None:
        """Dead letters are acknowledged before the position moves, and a second try doesn't send them twice."""
        for one, reason in letters:
            if (one.partition, one.offset) not in parked:
                await self._dead_letters.park(one.letter, reason)
                parked.add((one.partition, one.offset))
        await self._dead_letters.acknowledged()

    async def _written(self, batch: Batch) -> bool:
        outcome = await self._store.apply(batch)
        match outcome:
            case Applied():
                self._note(outcome)
                for partition, progress in batch.progress.items():
                    place = (batch.bucket, partition)
                    self.known[place] = max(self.known.get(place, 0), progress.position)
                return True
            case StaleCatalogue(tenants):
                await self._reload(tenants)
            case Conflict() | Untimely():
                self._metrics.conflicts.inc()
            case Behind(positions):
                raise Rewind(batch.bucket, positions)
            case OtherTopic(topic):
                raise ForeignTopic(topic)
        return False

    def _note(self, outcome: Applied) -> None:
        if outcome.negative:
            self._metrics.negative_cells.inc(outcome.negative)
            log.error("counters below zero: there is drift, run an audit", cells=outcome.negative)
