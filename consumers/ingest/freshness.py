"""How old the oldest record of a partition that isn't applied can be. Judges by what the broker says of the log's end.

Neither publishers' clocks nor silence have a say. Each fetch says where the log ended at that moment; once everything
below that end is applied, everything is that was in the log then. So the age is never understated, and overstated by no
more than the time between two fetches. Records of open transactions are in the log.
"""

import time
from collections import deque
from collections.abc import Callable

import msgspec
from aiokafka import TopicPartition

from consumers.kafka.fetches import Fetch, Fetches
from consumers.metrics import ConsumerMetrics

MOST_ENDS = 600
"""Ends remembered per partition, some 5 min of backlog to the half second; older ones are then thinned out."""

UNKNOWN_AT_LEAST_S = 5.001
"""What the metric says at least where nothing is known yet: no smaller than what is called stale."""


class _Log(msgspec.Struct):
    """What is known of one partition since it was positioned."""

    ends: deque[Fetch]
    """Fetches that told of an end that isn't applied yet, both ends and times rising."""
    through_s: float | None = None


class Freshness:
    """Per partition the instant through which everything in the log is applied."""

    def __init__(
        self,
        fetches: Fetches,
        metrics: ConsumerMetrics,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._fetches = fetches
        self._metrics = metrics
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s
        self._logs: dict[TopicPartition, _Log] = {}
        self._positioned_at_s = monotonic_s()

    def forget(self) -> None:
        """The partitions are read again from positions that may be lower: what was known of them no longer holds."""
        self._logs.clear()
        self._positioned_at_s = self._monotonic_s()

    def through_s(self, tp: TopicPartition, position: int, newest_applied_ms: int | None = None) -> float | None:
        """The latest instant of the monotonic clock at which nothing was in the log from `position` on; None for none.

        `newest_applied_ms` is the newest applied record's timestamp, with which the metric alone makes do until the
        end that the first fetch told of is reached.
        """
        log = self._logs.setdefault(tp, _Log(deque()))
        fetch = self._fetches.last(tp)
        if fetch is not None:
            _note(log, fetch)
        while log.ends and log.ends[0].end <= position:
            log.through_s = log.ends.popleft().at_s
        self._metrics.lag.labels(tp.partition).set(self._lag_s(log, newest_applied_ms))
        return log.through_s

    def _lag_s(self, log: _Log, newest_applied_ms: int | None) -> float:
        now_s = self._monotonic_s()
        if log.through_s is not None:
            return now_s - log.through_s
        by_record_s = 0.0 if newest_applied_ms is None else self._wall_s() - newest_applied_ms / 1000
        return max(by_record_s, now_s - self._positioned_at_s, UNKNOWN_AT_LEAST_S)


def _note(log: _Log, fetch: Fetch) -> None:
    """Adds a fetch to those whose end isn't applied yet. Of fetches with the same end the last one counts."""
    if log.through_s is not None and fetch.at_s <= log.through_s:
        return
    while log.ends and log.ends[-1].end >= fetch.end:
        log.ends.pop()
    log.ends.append(fetch)
    if len(log.ends) > MOST_ENDS:
        log.ends = deque([*log.ends][1::2])
