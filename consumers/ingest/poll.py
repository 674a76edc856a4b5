"""The poll loop: takes bounded batches of records and has them applied. Never interprets an event."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError

from consumers.backoff import Backoff
from consumers.coordination.live_work import LiveWork
from consumers.engine.away import AwayBuckets
from consumers.engine.batch_processor import BatchProcessor, DecodedBatch, EventsByBucket, merge
from consumers.engine.rewinding import Rewinding
from consumers.errors import Rewind
from consumers.fetching.batches import Read
from consumers.ingest.assignment import Assignment
from consumers.ingest.freshness import Freshness
from consumers.ingest.pending import MOST_BYTES, Pending
from consumers.kafka_errors import RETRIED
from consumers.metrics import ConsumerMetrics
from consumers.retrying import Retrying
from consumers.types import Goal
from service.clock import Clock
from service.store.ports.catalogue import Position

log = structlog.get_logger()

POLL_MS = 200
"""Longest wait for records in one poll: it delays ticks and SIGTERM."""

TICK_S = 1.0
"""Pause between two updates of idle buckets' positions: bounds the age of `X-Counts-Position` and `X-Counts-Fresh`."""

COMMIT_S, COMMIT_LIMIT_S = 5.0, 2.0
"""Pause between two commits, and longest wait for one. Commits are for monitoring only and must not block the loop."""

PENDING_POLL_MS = 10
"""Longest wait while some partitions wait for their dead letters, which takes some milliseconds."""


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
        metrics: ConsumerMetrics,
        batch_records: int,
        stored: Callable[[], None],
        same_topic: Callable[[], Awaitable[None]],
        freshness: Freshness,
        retrying: Retrying | None = None,
        live: LiveWork | None = None,
    ) -> None:
        """`same_topic` raises ForeignTopic when a topic was created again, and KafkaError."""
        self._consumer = consumer
        self._assignment = assignment
        self._away = away
        self._processor = processor
        self._pending = Pending(processor)
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
        """Runs until `stop` is set, then applies the records that it has taken.

        Raises errors that an operator has to resolve, such as Flood, LogShrank, RetentionOvertook and ForeignTopic.
        """
        try:
            await self._run(stop)
        finally:
            self._pending.keep(())
            self._processor.dead_letters.close()

    async def _run(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        tick_at = commit_at = loop.time()
        while not stop.is_set():
            try:
                await self._position_partitions()
                await self._round(await self._taken())
                if loop.time() >= tick_at:
                    tick_at = loop.time() + TICK_S
                    await self._tick()
                self._retrying.succeeded()
                backoff = Backoff()
            except OffsetOutOfRangeError as error:
                self._assignment.out_of_range(error.args[0])
                self._assignment.restart()
                await self._retrying.pause(error)
            except NoOffsetForPartitionError:  # the client fetched before the partition was positioned
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
        await self._finish()
        await self._commit()

    async def _finish(self) -> None:
        """Applies pending records before the process ends. If that fails, the partitions' next owner applies them."""
        try:
            while self._pending:
                await self._pending.wait()
                await self._turn()
        except Rewind as rewind:
            await self._rewinding.run(rewind)
        except RETRIED as error:
            log.info("pending records are left for the next start", error=str(error))

    async def _taken(self) -> Mapping[TopicPartition, Sequence[Read]]:
        """Polls the partitions without pending records."""
        if not self._pending:
            return await self._getmany(timeout_ms=POLL_MS)
        free = [tp for tp in self._assignment.ready if tp not in self._pending]
        held = self._pending.bytes
        return await self._getmany(*free, timeout_ms=PENDING_POLL_MS, held_bytes=held) if free else {}

    async def _getmany(self, *free: TopicPartition, **more: Any) -> Mapping[TopicPartition, Sequence[Read]]:
        found: Mapping[TopicPartition, Sequence[Read]] = await self._consumer.getmany(
            *free, max_records=self._batch_records, **more
        )
        return found

    async def _position_partitions(self) -> None:
        if not self._assignment.waiting and not self._away.some_back:
            return
        self._assignment.restart()  # all partitions, since each depends on which buckets are away
        states = await self._assignment.position()
        # A topic that was created again always leads here: its partitions are assigned or positioned again.
        await self._same_topic()
        self._pending.keep(())
        for tp in self._assignment.ready:
            self._positions.pop(tp, None)
        self._freshness.forget()
        self._processor.start_at(states, {tp.partition for tp in self._assignment.ready})

    async def _round(self, batches: Mapping[TopicPartition, Sequence[Read]]) -> None:
        """Applies what may be applied now. Partitions with unacknowledged dead letters stay pending while others go on.

        Where no other partition is free, or too much is pending, it waits for the letters.
        """
        for tp, records in batches.items():
            if tp in self._assignment.ready:
                self._pending.add(tp, records, await self._consumer.position(tp))
        await self._turn()
        while self._pending and (self._pending.bytes > MOST_BYTES or self._is_all_pending()):
            await self._pending.wait()
            await self._turn()

    def _is_all_pending(self) -> bool:
        return all(tp in self._pending for tp in self._assignment.ready)

    async def _turn(self) -> None:
        self._pending.keep(self._assignment.ready)
        if not self._pending:
            return
        started = self._clock.now_us()
        await self._pending.decode()
        work = self._pending.take()
        if work:
            await self._apply(work)
            self._metrics.batch_events.observe(sum(part.records for part in work.values()))
            self._metrics.batch_seconds.observe((self._clock.now_us() - started) / 1e6)
        self._pending.check()

    async def _apply(self, work: Mapping[TopicPartition, DecodedBatch]) -> None:
        by_bucket: EventsByBucket = {}
        for part in work.values():
            merge(by_bucket, part)
        goals = {
            tp.partition: Goal(part.end, self._freshness.through_s(tp, part.end, part.newest_ms))
            for tp, part in work.items()
        }
        with self._live.under_way():
            await self._processor.apply(by_bucket, goals)
        self._positions.update({tp: part.end for tp, part in work.items()})

    async def _tick(self) -> None:
        """Raises positions and freshness of every bucket that isn't away."""
        goals = {}
        for tp in sorted(self._assignment.ready):
            position = self._pending.position(tp)
            try:
                position = await self._consumer.position(tp) if position is None else position
            except IllegalStateError:  # revoked meanwhile
                continue
            goals[tp.partition] = Goal(position, self._freshness.through_s(tp, position))
            self._positions[tp] = position
        await self._processor.tick(goals)
        self._stored()

    async def _commit(self) -> None:
        """Commits positions to Kafka. A commit that hangs keeps running, and no other is started meanwhile.

        Cancelling it would be no use: it goes on inside the client, and then nobody would see its result.
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
