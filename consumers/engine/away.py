"""Buckets whose Redis server takes no writes while other servers do. The loop never writes to them.

One rule keeps this exact: a bucket that is away misses records, so the loop raises no position there, and the store
keeps the bucket's older positions. Once the bucket takes writes again, every partition is positioned again, at the
lowest position of any bucket. Buckets with a higher position skip the records that they have applied.
"""

import asyncio
import math
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import structlog

from consumers.metrics import ConsumerMetrics
from consumers.types import Note
from service.store.ports.catalogue import Bucket
from service.store.ports.errors import StoreDenied, StoreUnavailable
from service.store.ports.steps import Batch, BucketState, EventStore

log = structlog.get_logger()

T = TypeVar("T")

PATIENCE_S = 1.0
"""How long a step waits for its bucket while other servers answer. Long enough for a short stall to pass, and
short, because all other buckets wait meanwhile."""

PROBE_S = 0.5
"""Pause between probes whether a bucket takes writes again, and the shortest rest."""

LONGEST_REST_S = 30.0
"""Longest rest of a bucket that keeps failing soon after it is back: each return delays the other buckets."""

STABLE_S = 60.0
"""A bucket that worked for this long starts with the shortest rest again at its next failure."""


class _Rest(NamedTuple):
    """The pause before a bucket is probed again: its length, and its end by the loop's clock."""

    length_s: float
    until: float


async def gathered(
    calls: Mapping[Bucket, Coroutine[Any, Any, T]],
) -> tuple[dict[Bucket, T], dict[Bucket, StoreUnavailable]]:
    """Runs one call per bucket, all at once. Returns their results, and the errors of buckets whose server is away.

    Once all calls have ended, raises the first other error.
    """
    results: dict[Bucket, T] = {}
    failed: dict[Bucket, StoreUnavailable] = {}
    answers = await asyncio.gather(*calls.values(), return_exceptions=True)
    for bucket, answer in zip(calls, answers, strict=True):
        if isinstance(answer, StoreUnavailable):
            failed[bucket] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            results[bucket] = answer
    return results, failed


class AwayBuckets:
    """The away buckets of one loop. Only the loop adds and removes them; `watch` finds buckets that could return."""

    def __init__(
        self,
        store: EventStore,
        topic_id: str,
        buckets: Iterable[Bucket],
        metrics: ConsumerMetrics,
        note: Note | None = None,
    ) -> None:
        self._store = store
        self._topic_id = topic_id
        self._buckets = tuple(buckets)
        self._metrics = metrics
        self._note = note
        self._why: dict[Bucket, str] = {}
        self._back: set[Bucket] = set()
        self._rests: dict[Bucket, _Rest] = {}
        self.returned: frozenset[Bucket] = frozenset()
        """The buckets that the last call of `states` brought back."""

    def __contains__(self, bucket: object) -> bool:
        return bucket in self._why

    @property
    def live(self) -> tuple[Bucket, ...]:
        """The buckets that aren't away."""
        return tuple(bucket for bucket in self._buckets if bucket not in self._why)

    @property
    def some_back(self) -> bool:
        """Whether an away bucket takes writes again: then the partitions have to be positioned again."""
        return bool(self._back)

    @property
    def patience_s(self) -> float:
        """How long a step waits for its bucket. For ever with a single server, since no other bucket could go on."""
        return PATIENCE_S if len(self._servers(self._buckets)) > 1 else math.inf

    async def states(self) -> Mapping[Bucket, BucketState]:
        """Brings back the buckets that take writes again, and returns the states of all buckets that aren't away.

        The caller has to position all partitions by these states before it applies anything. Raises StoreUnavailable
        when no server answers.
        """
        buckets = [bucket for bucket in self._buckets if bucket not in self._why or bucket in self._back]
        found, failed = await gathered({bucket: self._store.states([bucket]) for bucket in buckets})
        states = {bucket: one[bucket] for bucket, one in found.items()}
        self.returned = frozenset(bucket for bucket in states if self._why.pop(bucket, None))
        self._back.clear()
        self.leave(failed)
        return states

    def leave(self, failed: Mapping[Bucket, StoreUnavailable]) -> None:
        """Marks buckets as away. Raises StoreUnavailable when no server is left: then none is away and all wait."""
        now = asyncio.get_running_loop().time()
        for bucket, error in failed.items():
            if isinstance(error, StoreDenied):
                raise error
            self._why[bucket] = str(error)
            self._back.discard(bucket)
            self._rests[bucket] = _next_rest(self._rests.get(bucket), now)
        if failed and self._servers(self._why) >= self._servers(self._buckets):
            self._why.clear()
            self._back.clear()
            self._report()
            raise next(iter(failed.values()))
        if failed:
            first = str(next(iter(failed.values())))
            log.warning("buckets are away, the others go on", buckets=len(self._why), error=first)
        self._report()

    async def watch(self) -> None:
        """Probes for ever which away buckets take writes again. Raises StoreDenied."""
        while True:
            now = asyncio.get_running_loop().time()
            due = [bucket for bucket in self._why if bucket not in self._back and self._rests[bucket].until <= now]
            answers = await asyncio.gather(*(self._takes_writes(bucket) for bucket in due))
            back = {bucket for bucket, takes in zip(due, answers, strict=True) if takes}
            self._back |= back & self._why.keys()
            await asyncio.sleep(PROBE_S)

    async def _takes_writes(self, bucket: Bucket) -> bool:
        try:  # an empty batch: any outcome, even a refusal, shows that the server takes writes
            await self._store.apply(Batch(bucket, self._topic_id, {}))
        except StoreDenied:
            raise
        except StoreUnavailable:
            return False
        return True

    def _servers(self, buckets: Iterable[Bucket]) -> frozenset[str]:
        return frozenset(self._store.server(bucket) for bucket in buckets)

    def _report(self) -> None:
        self._metrics.buckets_away.set(len(self._why))
        if self._note is not None:
            cause = next(iter(self._why.values()), "")
            self._note("buckets", f"{len(self._why)} of {len(self._buckets)} are away: {cause}" if cause else "")


def _next_rest(last: _Rest | None, now: float) -> _Rest:
    length_s = PROBE_S if last is None or now > last.until + STABLE_S else min(2 * last.length_s, LONGEST_REST_S)
    return _Rest(length_s, now + length_s)
