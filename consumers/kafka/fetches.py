"""The last successful fetch of each partition, with its monotonic time. Draws no conclusions from it.

aiokafka stamps fetches with the wall clock, which an operator may set. Each stamp is converted to the monotonic clock
when it is first seen, so a wrong wall clock distorts an age by at most the time between two calls of `last`.
"""

import time
from collections.abc import Callable

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition


class Fetch(msgspec.Struct, frozen=True):
    """One successful fetch of a partition, answered at `at_s` of the monotonic clock.

    `end` is the end of the log at that time, including records of open transactions (Kafka's high watermark). `stable`
    is the last stable offset: a reader of committed records can't read past it.
    """

    at_s: float
    end: int
    stable: int


class Fetches:
    """The last fetches of one client. Call `last` often: a fetch's age is exact to the time between two calls."""

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
        self._called_at_s: dict[TopicPartition, float] = {}

    def last(self, tp: TopicPartition) -> Fetch | None:
        """Returns the last successful fetch; None before the first, and for a partition that isn't assigned."""
        if tp not in self._consumer.assignment():
            self._seen.pop(tp, None)
            return None
        now_s = self._monotonic_s()
        called_at_s = self._called_at_s.get(tp, 0.0)
        self._called_at_s[tp] = now_s
        stamp_ms: int | None = self._consumer.last_poll_timestamp(tp)
        end: int | None = self._consumer.highwater(tp)
        if stamp_ms is None or end is None:
            return None
        known = self._seen.get(tp)
        if known is not None and known[0] == stamp_ms:
            return known[1]
        age_s = min(max(self._wall_s() - stamp_ms / 1000, 0.0), now_s - called_at_s)
        stable: int | None = self._consumer.last_stable_offset(tp)
        fetch = Fetch(now_s - age_s, end, end if stable is None or stable < 0 else stable)
        self._seen[tp] = stamp_ms, fetch
        return fetch
