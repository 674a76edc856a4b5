"""Which partitions this consumer may apply: paused when given, ready once they stand where the store says.

Kafka's committed offsets play no part. aiokafka hands out records before an async listener has finished, so the
listener only pauses, and records of partitions that aren't ready are thrown away.
"""

from collections.abc import Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from consumers.metrics import Metrics
from service.store.port import BucketState, CounterStore, Position

log = structlog.get_logger()


class RetentionOvertook(Exception):
    """The log no longer has what the store still needs: counting on would lose events silently."""


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """The partitions at hand. `ready` ones have been positioned; `waiting` ones are paused."""

    def __init__(self, consumer: AIOKafkaConsumer, store: CounterStore, buckets: int, metrics: Metrics) -> None:
        self._consumer = consumer
        self._store = store
        self._buckets = range(buckets)
        self._metrics = metrics
        self.waiting: set[TopicPartition] = set()
        self.ready: set[TopicPartition] = set()
        self.seen: dict[TopicPartition, Position] = {}
        """Per partition the highest position of any bucket: records below it were looked at before."""

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self._consumer.pause(*assigned)  # before anything else, and before any await: see the module
        self.ready.clear()
        self.waiting = set(assigned)
        self._metrics.assignments.inc()
        log.info("partitions assigned", partitions=sorted(tp.partition for tp in assigned))

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self.ready.clear()
        self.waiting.clear()
        log.info("partitions revoked", partitions=sorted(tp.partition for tp in revoked))

    def restart(self) -> None:
        """Every partition has to be positioned again."""
        self._consumer.pause(*self.ready)
        self.waiting |= self.ready
        self.ready.clear()

    async def position(self) -> Mapping[int, BucketState]:
        """Puts waiting partitions at the lowest position of all buckets and lets them run.

        Returns the states they were positioned by. Raises RetentionOvertook, StoreUnavailable, KafkaError.
        """
        waiting = frozenset(self.waiting)
        states = await self._store.states(self._buckets)
        beginnings: dict[TopicPartition, int] = await self._consumer.beginning_offsets(list(waiting))
        for tp in waiting & self.waiting & self._consumer.assignment():
            stored = [state.positions.get(tp.partition) for state in states.values()]
            self._consumer.seek(tp, _start(tp, stored, beginnings[tp]))
            self.seen[tp] = max((position for position in stored if position is not None), default=0)
            self._consumer.resume(tp)
            self.ready.add(tp)
        self.waiting -= waiting
        return states


def _start(tp: TopicPartition, stored: Sequence[Position | None], beginning: Position) -> Position:
    known = [position for position in stored if position is not None]
    if len(known) < len(stored):  # some bucket has seen nothing of this partition yet
        if known and beginning > 0:
            raise RetentionOvertook(f"partition {tp.partition} starts at {beginning}, and a bucket has none of it yet")
        return beginning
    lowest = min(known)
    if lowest < beginning:
        raise RetentionOvertook(f"partition {tp.partition} starts at {beginning}, the store is only at {lowest}")
    return lowest
