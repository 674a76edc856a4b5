"""Freshness of a partition: an upper bound of the age of its oldest unapplied record. Never uses publishers' clocks.

Each fetch returns the log's end at that moment. Once the position reaches that end, every record that was in the log at
that moment is applied. So the age is never understated, and overstated by at most the time between two fetches. Records
of open transactions are in the log too, and can't be applied yet.

Example: a fetch at 10:00:00 returns end 100, the next at 10:00:01 returns end 120. At position 110 everything through
10:00:00 is applied: the unapplied records 110 to 119 came later. At position 120 it is everything through 10:00:01.
"""

import time
from collections import deque
from collections.abc import Callable

import msgspec
from aiokafka import TopicPartition

from consumers.kafka.fetches import Fetch, Fetches
from consumers.metrics import ConsumerMetrics

MOST_ENDS = 600
"""Most log ends remembered per partition: 5 min of backlog at two fetches a second. Beyond it every other one goes."""

UNKNOWN_AT_LEAST_S = 5.001
"""Lowest value of the metric while the age is unknown: more than the five seconds that still count as fresh."""


class _Log(msgspec.Struct):
    """The log ends of one partition since it was positioned."""

    ends: deque[Fetch]
    """Fetches whose end isn't applied yet, in rising order of time and of end."""
    through_s: float | None = None


class Freshness:
    """Tracks for each partition the instant through which all records of the log are applied."""

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
        """Forgets everything, because the partitions were positioned again and may be read from lower offsets."""
        self._logs.clear()
        self._positioned_at_s = self._monotonic_s()

    def through_s(self, tp: TopicPartition, position: int, newest_applied_ms: int | None = None) -> float | None:
        """Returns the latest monotonic instant at which the log had no record from `position` on; None if unknown.

        `newest_applied_ms` is the timestamp of the newest applied record. Only the metric uses it, until the position
        reaches the first fetched end.
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
    """Adds a fetch. Of fetches with the same end only the latest is kept."""
    if log.through_s is not None and fetch.at_s <= log.through_s:
        return
    while log.ends and log.ends[-1].end >= fetch.end:
        log.ends.pop()
    log.ends.append(fetch)
    if len(log.ends) > MOST_ENDS:
        log.ends = deque([*log.ends][1::2])
