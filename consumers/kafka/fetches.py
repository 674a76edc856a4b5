"""What a Kafka client last heard of each partition, and when. Judges nothing.

aiokafka stamps fetches with the wall clock, which may be set. Each stamp is dated by the monotonic clock when it is
first seen, so an age never depends on anybody's wall clock for longer than the time between two looks.
"""

import time
from collections.abc import Callable

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition


class Fetch(msgspec.Struct, frozen=True):
    """One successful fetch of a partition, answered at `at_s` of the monotonic clock.

    `end` is the end of the log then, with the records of open transactions; `stable` the offset up to which all
    transactions had ended, which is how far a reader of committed records comes.
    """

    at_s: float
    end: int
    stable: int


class Fetches:
    """The last fetches of one client. Look often: an age is exact to the time since the last look."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._consumer = consumer
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s
        self._seen: dict[TopicPartition, tuple[int, Fetch]] = {}
        self._looked_at_s: dict[TopicPartition, float] = {}

    def last(self, tp: TopicPartition) -> Fetch | None:
        """The last one that succeeded; None before the first, and for a partition that isn't assigned."""
        if tp not in self._consumer.assignment():
            self._seen.pop(tp, None)
            return None
        now_s = self._monotonic_s()
        looked_at_s = self._looked_at_s.get(tp, 0.0)
        self._looked_at_s[tp] = now_s
        stamp_ms: int | None = self._consumer.last_poll_timestamp(tp)
        end: int | None = self._consumer.highwater(tp)
        if stamp_ms is None or end is None:
            return None
        known = self._seen.get(tp)
        if known is not None and known[0] == stamp_ms:
            return known[1]
        age_s = min(max(self._wall_s() - stamp_ms / 1000, 0.0), now_s - looked_at_s)
        stable: int | None = self._consumer.last_stable_offset(tp)
        fetch = Fetch(now_s - age_s, end, end if stable is None or stable < 0 else stable)
        self._seen[tp] = stamp_ms, fetch
        return fetch
