"""Positions assigned partitions by the store's positions. Never uses Kafka's committed offsets.

aiokafka returns records before an async rebalance listener has finished. So the listener only pauses new partitions,
and the loop drops records of partitions that aren't ready.
"""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from consumers.engine.away import AwayBuckets
from consumers.errors import LogShrank, RetentionOvertook
from consumers.metrics import ConsumerMetrics
from service.store.ports.catalogue import Position
from service.store.ports.steps import BucketState

log = structlog.get_logger()


SHRANK_S = 10.0
"""How long the brokers refuse an offset above the log's start before we conclude that the log shrank. A leader election
takes less."""


class _Refusal(NamedTuple):
    """An offset that the brokers refused as out of range."""

    offset: Position
    fetched: int | None
    """Time stamp of the last successful fetch before the refusal, in the client's milliseconds."""
    since: float
    """The first refusal, by the loop's clock."""


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """The assigned partitions: `waiting` ones are paused until they are positioned, `ready` ones are positioned."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        away: AwayBuckets,
        metrics: ConsumerMetrics,
        accepted: Mapping[int, Position] = MappingProxyType({}),
    ) -> None:
        """`accepted`: by partition, the first offset after lost records that an operator has accepted as uncounted."""
        self._consumer = consumer
        self._away = away
        self._metrics = metrics
        self._accepted = accepted
        self._refused: dict[TopicPartition, _Refusal] = {}
        self.waiting: set[TopicPartition] = set()
        self.ready: set[TopicPartition] = set()
        self.seen: dict[TopicPartition, Position] = {}
        """By partition, the highest position of any bucket: records below it were read before."""

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self._consumer.pause(*assigned)  # before any await: see the module docstring
        self.ready.clear()
        self.waiting = set(assigned)
        self._metrics.lag.clear()  # the gauge of a partition that is assigned elsewhere would never change again
        self._metrics.assignments.inc()
        log.info("partitions assigned", partitions=sorted(tp.partition for tp in assigned))

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self.ready.clear()
        self.waiting.clear()
        log.info("partitions revoked", partitions=sorted(tp.partition for tp in revoked))

    def out_of_range(self, refused: Mapping[TopicPartition, Position]) -> None:
        """Notes that the brokers refused these offsets as out of range.

        If retention overtook the position, `position` notices that. If the offset is above the log's end instead, this
        raises LogShrank after `SHRANK_S` without a successful fetch in between.
        """
        now = asyncio.get_running_loop().time()
        for tp, offset in refused.items():
            fetched = self._consumer.last_poll_timestamp(tp) if tp in self._consumer.assignment() else None
            known = self._refused.get(tp)
            if known is None or (known.offset, known.fetched) != (offset, fetched):
                known = self._refused[tp] = _Refusal(offset, fetched, now)
            if now - known.since >= SHRANK_S:
                raise LogShrank(
                    f"partition {tp.partition} ends before {offset}, up to which it is counted: the log lost its "
                    "newest records, and new records at their offsets would never be read"
                )

    def restart(self) -> None:
        """Pauses every partition until it is positioned again."""
        self._consumer.pause(*self.ready)
        self.waiting |= self.ready
        self.ready.clear()

    async def position(self) -> Mapping[int, BucketState]:
        """Seeks each waiting partition to the lowest position of all buckets that aren't away, and resumes it.

        Example: bucket 0 is at 40 and bucket 1 at 25, so the partition is read from 25, and bucket 0 skips 25 to 39.
        Returns the buckets' states. Raises RetentionOvertook, StoreUnavailable, KafkaError.
        """
        waiting = frozenset(self.waiting)
        states = await self._away.states()
        beginnings: dict[TopicPartition, int] = await self._consumer.beginning_offsets(list(waiting))
        starts = self._starts(states, {tp: beginnings[tp] for tp in waiting})
        for tp in waiting & self.waiting & self._consumer.assignment():
            self._consumer.seek(tp, starts[tp])
            self.seen[tp] = max(state.positions.get(tp.partition, 0) for state in states.values())
            self._consumer.resume(tp)
            self.ready.add(tp)
        self.waiting -= waiting
        return states

    def _starts(
        self, states: Mapping[int, BucketState], beginnings: Mapping[TopicPartition, Position]
    ) -> Mapping[TopicPartition, Position]:
        """Returns the start offset of each partition. Raises RetentionOvertook, naming all that lost records."""
        starts: dict[TopicPartition, Position] = {}
        overtaken: dict[TopicPartition, Position] = {}
        for tp, beginning in beginnings.items():
            stored = [state.positions.get(tp.partition) for state in states.values()]
            lowest = min(position or 0 for position in stored)
            starts[tp] = max(lowest, beginning)
            if lowest >= beginning:
                continue
            was_counted = self.seen.get(tp, 0) > 0 or any(position is not None for position in stored)
            if was_counted and beginning > self._accepted.get(tp.partition, 0):
                overtaken[tp] = lowest
            else:
                self._metrics.lost_records.inc(beginning - lowest)
                log.error("records lost before they were counted", partition=tp.partition, at=lowest, start=beginning)
        if overtaken:
            raise RetentionOvertook(_overtaken_message(overtaken, starts))
        return starts


def _overtaken_message(overtaken: Mapping[TopicPartition, Position], starts: Mapping[TopicPartition, Position]) -> str:
    gaps = [
        f"partition {tp.partition} begins at {starts[tp]} and is counted up to {lowest}"
        for tp, lowest in sorted(overtaken.items())
    ]
    accepting = ",".join(f"{tp.partition}:{starts[tp]}" for tp in sorted(overtaken))
    return (
        f"the log lost records before they were counted: {', '.join(gaps)}. "
        f"Set TICKET_COUNTS_ACCEPT_LOG_START={accepting} to go on without them"
    )
