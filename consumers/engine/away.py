"""Buckets that take nothing now, while those of other servers do: left out of the loop until they were read again.

All depends on one rule: a bucket that is away has missed records, so the loop raises no position there. It keeps its
own, lower ones in the store. Once it takes writes again, the partitions are positioned anew, at the lowest position of
any bucket; the others pass over what they have.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import structlog

from consumers.metrics import ConsumerMetrics
from consumers.types import Note
from service.store.ports.catalogue import Bucket
from service.store.ports.errors import StoreDenied, StoreUnavailable
from service.store.ports.steps import Batch, BucketState, EventStore

log = structlog.get_logger()

PATIENCE_S = 1.0
"""How long a step waits for its bucket while other servers answer: longer than a hiccup, no longer than others should
wait for it."""

PROBE_S = 0.5
"""Between looks whether a bucket takes writes again."""

LONGEST_REST_S = 30.0
"""Between tries of a bucket that goes away again as soon as it is back: each holds up the others for a moment."""

WELL_S = 60.0
"""A bucket that was back for so long begins with the shortest rest when it goes away the next time."""


class _Rest(NamedTuple):
    """How long a bucket isn't asked, and until when."""

    length_s: float
    until: float


class AwayBuckets:
    """Of one loop. Only the loop itself takes buckets in and out; `watch` finds those that could come back."""

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
        """Those that the last look at states has taken in again."""

    def __contains__(self, bucket: object) -> bool:
        return bucket in self._why

    @property
    def live(self) -> tuple[Bucket, ...]:
        """Those that aren't away."""
        return tuple(bucket for bucket in self._buckets if bucket not in self._why)

    @property
    def some_back(self) -> bool:
        """Whether some that are away take writes again: the partitions have to be positioned anew for them."""
        return bool(self._back)

    @property
    def patience_s(self) -> float:
        """How long a step waits for its bucket. Where there is one server, nothing is gained by going on without it."""
        return PATIENCE_S if len(self._servers(self._buckets)) > 1 else math.inf

    async def states(self) -> Mapping[Bucket, BucketState]:
        """Takes in all that answer now, for partitions that are positioned anew: the states of those that aren't away.

        Nothing may be applied by older positions afterwards. Raises StoreUnavailable where no server answers.
        """
        asked = [bucket for bucket in self._buckets if bucket not in self._why or bucket in self._back]
        answers = await asyncio.gather(*(self._store.states([bucket]) for bucket in asked), return_exceptions=True)
        states: dict[Bucket, BucketState] = {}
        failed: dict[Bucket, StoreUnavailable] = {}
        for bucket, answer in zip(asked, answers, strict=True):
            if isinstance(answer, StoreUnavailable):
                failed[bucket] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                states |= answer
        self.returned = frozenset(bucket for bucket in states if self._why.pop(bucket, None))
        self._back.clear()
        self.leave(failed)
        return states

    def leave(self, failed: Mapping[Bucket, StoreUnavailable]) -> None:
        """From now on these are away. Raises StoreUnavailable where no server is left: then all have to wait."""
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
            self._say()
            raise next(iter(failed.values()))
        if failed:
            first = str(next(iter(failed.values())))
            log.warning("buckets are away, the others go on", buckets=len(self._why), error=first)
        self._say()

    async def watch(self) -> None:
        """Looks for ever which of them take writes again. Raises what no retry cures."""
        while True:
            now = asyncio.get_running_loop().time()
            due = [bucket for bucket in self._why if bucket not in self._back and self._rests[bucket].until <= now]
            answers = await asyncio.gather(*(self._takes_writes(bucket) for bucket in due))
            back = {bucket for bucket, takes in zip(due, answers, strict=True) if takes}
            self._back |= back & self._why.keys()
            await asyncio.sleep(PROBE_S)

    async def _takes_writes(self, bucket: Bucket) -> bool:
        try:  # a step that changes nothing; whatever else the store has to say of it, it answers
            await self._store.apply(Batch(bucket, self._topic_id, {}))
        except StoreDenied:
            raise
        except StoreUnavailable:
            return False
        return True

    def _servers(self, buckets: Iterable[Bucket]) -> frozenset[str]:
        return frozenset(self._store.server(bucket) for bucket in buckets)

    def _say(self) -> None:
        self._metrics.buckets_away.set(len(self._why))
        if self._note is not None:
            cause = next(iter(self._why.values()), "")
            self._note("buckets", f"{len(self._why)} of {len(self._buckets)} are away: {cause}" if cause else "")


def _next_rest(last: _Rest | None, now: float) -> _Rest:
    length_s = PROBE_S if last is None or now > last.until + WELL_S else min(2 * last.length_s, LONGEST_REST_S)
    return _Rest(length_s, now + length_s)
