"""The loop: records in, positions up. Takes bounded batches, and never decides what an event means."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError

from consumers.adoption import Adoption
from consumers.assignment import Assignment
from consumers.away import AwayBuckets
from consumers.backoff import Backoff
from consumers.dead_letters import DeadLetters
from consumers.decode import decode
from consumers.errors import RETRIED
from consumers.freshness import Freshness
from consumers.live_work import LiveWork
from consumers.metrics import Metrics
from consumers.reading.batches import Read
from consumers.reading.flawed import FlawedRecord
from consumers.retrying import Retrying
from consumers.rewinding import Rewinding, went_back
from consumers.step import Goal, Incoming, Rewind, Step
from consumers.tenants import Tenants
from service.clock import Clock
from service.domain.event import PoisonEvent
from service.store.port import Bucket, CounterStore, Position, StoreUnavailable

log = structlog.get_logger()

POLL_MS = 200
"""Longest wait for records in one poll: how late a tick or a stop may be."""

TICK_S = 1.0
"""How often idle buckets' positions are raised: what bounds the age of `X-Counts-Position` and `X-Counts-Fresh`."""

COMMIT_S, COMMIT_LIMIT_S = 5.0, 2.0
"""Commits are for monitoring only, and a broker that hangs must not hold the loop."""

BREATH = 500
"""Records decoded before other tasks, the group's heartbeat among them, get a turn: some 10 ms."""


class Limits(msgspec.Struct, frozen=True):
    """Most records of one poll, and most events of one script call."""

    batch_records: int
    apply_events: int


class _Taker(msgspec.Struct, frozen=True, gc=False):
    """Where the events of one tenant in one partition go."""

    incoming: list[Incoming]
    applied: Position
    """Its bucket has everything below."""
    is_unknown: bool = False
    """No tenant has that name."""


class Poll:
    """Moves records of ready partitions through the step, round by round."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        assignment: Assignment,
        away: AwayBuckets,
        store: CounterStore,
        step: Step,
        tenants: Tenants,
        adoption: Adoption,
        dead_letters: DeadLetters,
        clock: Clock,
        metrics: Metrics,
        limits: Limits,
        stored: Callable[[], None],
        same_topic: Callable[[], Awaitable[None]],
        freshness: Freshness,
        retrying: Retrying | None = None,
        live: LiveWork | None = None,
    ) -> None:
        """`same_topic` raises ForeignTopic where the topic is another one by now, and KafkaError."""
        self._same_topic = same_topic
        self._live = live or LiveWork()
        self._retrying = retrying or Retrying("events")
        self._stored = stored
        self._consumer = consumer
        self._assignment = assignment
        self._store = store
        self._step = step
        self._tenants = tenants
        self._adoption = adoption
        self._dead_letters = dead_letters
        self._clock = clock
        self._metrics = metrics
        self._limits = limits
        self._away = away
        self._rewinding = Rewinding(store, step, adoption, metrics, away)
        self._positions: dict[TopicPartition, Position] = {}
        self._judged: dict[TopicPartition, Position] = {}
        """Records below it are known to be good or bad: read again, they count no more for a flood."""
        self._committing: asyncio.Future[None] | None = None
        self._freshness = freshness

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; the round at hand is finished. Raises what an operator has to decide."""
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        tick_at = commit_at = loop.time()
        while not stop.is_set():
            try:
                await self._position_partitions()
                batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=self._limits.batch_records)
                await self._round(batches)
                if loop.time() >= tick_at:
                    tick_at = loop.time() + TICK_S
                    await self._tick()
                self._retrying.well()
                backoff = Backoff()
            except OffsetOutOfRangeError as error:
                self._assignment.out_of_range(error.args[0])
                self._assignment.restart()
                await self._retrying.pause(error)
            except NoOffsetForPartitionError:  # fetched for before it was positioned
                self._assignment.restart()
                await backoff.pause()
            except Rewind as rewind:
                await self._rewinding.run(rewind)
                self._assignment.restart()
                await backoff.pause()
            except RETRIED as error:
                self._assignment.restart()
                await self._retrying.pause(error)
            if loop.time() >= commit_at:
                commit_at = loop.time() + COMMIT_S
                await self._commit()
        await self._commit()

    async def _position_partitions(self) -> None:
        if not self._assignment.waiting and not self._away.some_back:
            return
        self._assignment.restart()  # all of them: which buckets are away holds for every partition
        states = await self._assignment.position()
        # Whatever a topic that is made anew does to its readers, it ends here: its partitions are given or read anew.
        await self._same_topic()
        for tp in self._assignment.ready:
            self._positions.pop(tp, None)
        self._freshness.forget()
        lost = went_back({bucket: states[bucket] for bucket in self._away.returned}, self._step.known)
        if lost:  # a replica that hadn't everything stood in meanwhile
            bucket = min(lost)
            raise Rewind(bucket, states[bucket].positions)
        self._step.start_at(states, {tp.partition for tp in self._assignment.ready})

    async def _round(self, batches: Mapping[TopicPartition, Sequence[Read]]) -> None:
        ready = {tp: records for tp, records in batches.items() if tp in self._assignment.ready}
        if not ready:
            return
        started = self._clock.now_us()
        self._tenants.forget_strangers()
        ends = {tp: await self._consumer.position(tp) for tp in ready if tp in self._assignment.ready}
        by_bucket: dict[Bucket, list[Incoming]] = {}
        for tp in ends:
            await self._sort(tp, ready[tp], by_bucket)
        await self._dead_letters.acknowledged()
        newest = {tp: ready[tp][-1].timestamp for tp in ends}
        goals = {tp.partition: Goal(end, self._freshness.through_s(tp, end, newest[tp])) for tp, end in ends.items()}
        with self._live.under_way():
            await self._steps(by_bucket, goals)
        self._positions.update(ends)
        self._metrics.batch_events.observe(sum(len(records) for records in ready.values()))
        self._metrics.batch_seconds.observe((self._clock.now_us() - started) / 1e6)

    async def _sort(self, tp: TopicPartition, records: Sequence[Read], by_bucket: dict[Bucket, list[Incoming]]) -> None:
        """Decodes records of one partition into their buckets; what can't be decoded is parked."""
        seen, judged = self._assignment.seen.get(tp, 0), self._judged.get(tp, 0)
        of_tenant: dict[str, _Taker] = {}  # of this batch: what changes meanwhile is the step's to find out
        good = 0
        for place, record in enumerate(records):
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            taker: _Taker | None = None
            try:
                if isinstance(record, FlawedRecord):
                    raise PoisonEvent(record.flaw)
                event = decode(record.key, record.value, record.headers, record.timestamp)
                taker = of_tenant.get(event.tenant)
                if taker is None:
                    taker = of_tenant[event.tenant] = await self._taker(tp, event.tenant, by_bucket)
                if taker.is_unknown:
                    raise PoisonEvent(f"tenantid: no tenant {event.tenant} in the catalogue")
            except PoisonEvent as poison:
                self._dead_letters.good(good)
                good = 0
                # What no bucket is to blame for was looked at before where any bucket is farther.
                if record.offset >= (seen if taker is None else taker.applied):
                    await self._dead_letters.park(record, str(poison))
                continue
            good += record.offset >= judged
            if record.offset >= taker.applied:
                taker.incoming.append(Incoming(tp.partition, record.offset, event, record))
        self._dead_letters.good(good)
        self._judged[tp] = max(judged, records[-1].offset + 1)

    async def _taker(self, tp: TopicPartition, tenant: str, by_bucket: dict[Bucket, list[Incoming]]) -> "_Taker":
        """What becomes of a tenant's events. Those of a bucket that is away are dropped, to be read again."""
        bucket = self._store.bucket(tenant)
        applied = self._step.known.get((bucket, tp.partition), 0)
        try:
            if bucket not in self._away and await self._tenants.get(tenant) is None:
                by_bucket.setdefault(bucket, [])  # which is farther then, and doesn't see it again
                return _Taker([], applied, is_unknown=True)
        except StoreUnavailable as error:
            self._away.leave({bucket: error})
        return _Taker([] if bucket in self._away else by_bucket.setdefault(bucket, []), applied)

    async def _steps(self, by_bucket: Mapping[Bucket, Sequence[Incoming]], goals: Mapping[int, Goal]) -> None:
        """All buckets at once that aren't away; each bucket's events in order. Those that fail are away from now on.

        Raises any other failure, and StoreUnavailable where no server is left, after all have ended.
        """
        live = {bucket: incoming for bucket, incoming in by_bucket.items() if bucket not in self._away}
        results = await asyncio.gather(
            *(self._bucket(bucket, incoming, goals) for bucket, incoming in live.items()), return_exceptions=True
        )
        failed: dict[Bucket, StoreUnavailable] = {}
        for bucket, result in zip(live, results, strict=True):
            if isinstance(result, StoreUnavailable):
                failed[bucket] = result
            elif isinstance(result, BaseException):
                raise result
        self._away.leave(failed)

    async def _bucket(self, bucket: Bucket, incoming: Sequence[Incoming], goals: Mapping[int, Goal]) -> None:
        for part, reached in portions(incoming, goals, self._limits.apply_events):
            await self._step.events(bucket, part, reached, self._away.patience_s)

    async def _tick(self) -> None:
        """Raises positions and freshness of every bucket that isn't away."""
        goals = {}
        for tp in sorted(self._assignment.ready):
            try:
                position = await self._consumer.position(tp)
            except IllegalStateError:  # revoked meanwhile
                continue
            goals[tp.partition] = Goal(position, self._freshness.through_s(tp, position))
            self._positions[tp] = position
        if goals:
            await self._steps({bucket: [] for bucket in self._away.live}, goals)
        await self._step.unknown_ids.store(self._store, lambda tenant: self._store.bucket(tenant) in self._away)
        self._stored()

    async def _commit(self) -> None:
        """Tells Kafka how far it is. A commit that hangs is left to itself, and no other is begun meanwhile.

        Cancelled, it would go on inside the client all the same, and what becomes of it would be nobody's.
        """
        offsets = {tp: position for tp, position in self._positions.items() if tp in self._assignment.ready}
        if not offsets or (self._committing is not None and not self._committing.done()):
            return
        self._committing = asyncio.ensure_future(self._consumer.commit(offsets))
        self._committing.add_done_callback(_note_commit)
        await asyncio.wait((self._committing,), timeout=COMMIT_LIMIT_S)


def _note_commit(committing: asyncio.Future[None]) -> None:
    if not committing.cancelled() and (error := committing.exception()) is not None:
        log.info("offsets not committed", error=repr(error))


def portions(
    incoming: Sequence[Incoming], goals: Mapping[int, Goal], size: int
) -> Iterator[tuple[Sequence[Incoming], Mapping[int, Goal]]]:
    """Cuts a bucket's events into calls, each with the positions that are true once it is done."""
    last = max(len(incoming) - 1, 0) // size
    for number in range(last + 1):
        part, rest = incoming[number * size : (number + 1) * size], incoming[(number + 1) * size :]
        reached = dict(goals)
        for one in reversed(rest):
            reached[one.partition] = Goal(one.offset, None)
        yield part, reached
