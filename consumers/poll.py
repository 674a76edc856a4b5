"""The loop: records in, positions up. Takes bounded batches, and never decides what an event means."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError

from consumers.assignment import Assignment
from consumers.away import AwayBuckets
from consumers.backoff import Backoff
from consumers.batch_processor import BatchProcessor
from consumers.errors import Rewind
from consumers.freshness import Freshness
from consumers.kafka_errors import RETRIED
from consumers.live_work import LiveWork
from consumers.metrics import Metrics
from consumers.reading.batches import Read
from consumers.retrying import Retrying
from consumers.rewinding import Rewinding
from consumers.types import Goal
from service.clock import Clock
from service.store.port import Position

log = structlog.get_logger()

POLL_MS = 200
"""Longest wait for records in one poll: how late a tick or a stop may be."""

TICK_S = 1.0
"""How often idle buckets' positions are raised: what bounds the age of `X-Counts-Position` and `X-Counts-Fresh`."""

COMMIT_S, COMMIT_LIMIT_S = 5.0, 2.0
"""Commits are for monitoring only, and a broker that hangs must not hold the loop."""


class Poll:
    """Hands records of ready partitions to the processor, batch by batch."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        assignment: Assignment,
        away: AwayBuckets,
        processor: BatchProcessor,
        rewinding: Rewinding,
        clock: Clock,
        metrics: Metrics,
        batch_records: int,
        stored: Callable[[], None],
        same_topic: Callable[[], Awaitable[None]],
        freshness: Freshness,
        retrying: Retrying | None = None,
        live: LiveWork | None = None,
    ) -> None:
        """`same_topic` raises ForeignTopic where the topic is another one by now, and KafkaError."""
        self._consumer = consumer
        self._assignment = assignment
        self._away = away
        self._processor = processor
        self._rewinding = rewinding
        self._clock = clock
        self._metrics = metrics
        self._batch_records = batch_records
        self._stored = stored
        self._same_topic = same_topic
        self._freshness = freshness
        self._retrying = retrying or Retrying("events")
        self._live = live or LiveWork()
        self._positions: dict[TopicPartition, Position] = {}
        self._committing: asyncio.Future[None] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; the round at hand is finished. Raises what an operator has to decide."""
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        tick_at = commit_at = loop.time()
        while not stop.is_set():
            try:
                await self._position_partitions()
                batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=self._batch_records)
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
        self._processor.start_at(states, {tp.partition for tp in self._assignment.ready})

    async def _round(self, batches: Mapping[TopicPartition, Sequence[Read]]) -> None:
        ready = {tp: records for tp, records in batches.items() if tp in self._assignment.ready}
        if not ready:
            return
        started = self._clock.now_us()
        ends = {tp: await self._consumer.position(tp) for tp in ready if tp in self._assignment.ready}
        by_bucket = await self._processor.grouped({tp.partition: ready[tp] for tp in ends})
        newest = {tp: ready[tp][-1].timestamp for tp in ends}
        goals = {tp.partition: Goal(end, self._freshness.through_s(tp, end, newest[tp])) for tp, end in ends.items()}
        with self._live.under_way():
            await self._processor.apply(by_bucket, goals)
        self._positions.update(ends)
        self._metrics.batch_events.observe(sum(len(records) for records in ready.values()))
        self._metrics.batch_seconds.observe((self._clock.now_us() - started) / 1e6)

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
        await self._processor.tick(goals)
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
