"""How old the oldest unapplied record of a partition can be. Judges by fetches that succeeded, never by silence."""

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.metrics import Metrics
from service.clock import Clock


class Freshness:
    """Per partition the instant through which everything in the log is applied, in ms; it never goes back."""

    def __init__(self, consumer: AIOKafkaConsumer, clock: Clock, metrics: Metrics) -> None:
        self._consumer = consumer
        self._clock = clock
        self._metrics = metrics
        self._through_ms: dict[TopicPartition, int] = {}

    def lag_ms(self, tp: TopicPartition, position: int, newest_applied_ms: int | None) -> int:
        """Age of the oldest record that isn't applied once everything below `position` is."""
        now_ms = self._clock.now_us() // 1000
        through = self._through_ms.get(tp, 0)
        if newest_applied_ms is not None:
            through = max(through, newest_applied_ms)
        fetched_ms = self._caught_up(tp, position)
        if fetched_ms is not None:
            through = max(through, fetched_ms)
        self._through_ms[tp] = min(through, now_ms)
        lag_ms = now_ms - self._through_ms[tp]
        self._metrics.lag_ms.labels(tp.partition).set(lag_ms)
        return lag_ms

    def _caught_up(self, tp: TopicPartition, position: int) -> int | None:
        """When the last fetch said that there is nothing from `position` on; None if it said otherwise."""
        if tp not in self._consumer.assignment():
            return None
        # Of committed records only: an open transaction is not a record yet.
        end = self._consumer.last_stable_offset(tp)
        if end is None or end < 0:
            end = self._consumer.highwater(tp)
        fetched_ms: int | None = self._consumer.last_poll_timestamp(tp)
        return fetched_ms if end is not None and position >= end else None
