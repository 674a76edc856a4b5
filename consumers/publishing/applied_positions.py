"""Waits until the consumers have applied the published records, by the buckets' positions. Reads no counter."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from consumers.backoff import Backoff
from consumers.kafka_errors import check_retry
from consumers.progress import ProgressReport, Say
from service.store.ports.catalogue import Position
from service.store.ports.errors import StoreUnavailable
from service.store.ports.steps import BucketState, OffsetStore

POLL_INTERVAL_S = 0.5
"""Consumers raise the positions of idle buckets once a second, so faster polling would see nothing new."""

STANDSTILL_S = 120.0
"""Longest wait without any progress: several times what a restart, a rebalance or a failover takes."""


class NotApplied(Exception):
    """The wait ended early, since the consumers apply nothing more. The message says how much is left."""


async def until_applied(
    store: OffsetStore,
    buckets: Sequence[int],
    ends: Mapping[int, Position],
    say: Say,
    *,
    catalogue_end: Position = 0,
) -> None:
    """Waits until every bucket has applied the records below `ends` (offsets by partition), and the store has the
    catalogue's records below `catalogue_end`. Poison records count as applied once they are dead letters.

    Reports progress, and waits while Redis is unavailable. Raises NotApplied after STANDSTILL_S without progress, and
    StoreDenied, which no retry cures.
    """
    progress: ProgressReport | None = None
    before, backoff, moved_at = 0, Backoff(), time.monotonic()
    while True:
        try:
            left = _left(await store.states(buckets), ends) + max(0, catalogue_end - await store.validated_offset())
        except StoreUnavailable as error:
            check_retry(error)
            say(f"waiting for Redis: {error}")
            _check_standstill(moved_at, f"Redis is away: {error}")
            await backoff.pause()
            continue
        backoff = Backoff()
        if progress is None:
            progress, before = ProgressReport(say, "applied", left), left
        progress.add(before - left)
        if not left:
            return
        if left != before:
            before, moved_at = left, time.monotonic()
        _check_standstill(moved_at, f"{left:,} are left; /readyz of the consumers says what stopped them")
        await asyncio.sleep(POLL_INTERVAL_S)


def _check_standstill(moved_at: float, why: str) -> None:
    if time.monotonic() - moved_at > STANDSTILL_S:
        raise NotApplied(f"no published record was applied for {STANDSTILL_S:g} s: {why}")


def _left(states: Mapping[int, BucketState], ends: Mapping[int, Position]) -> int:
    """Returns the records that the slowest bucket still has to apply, summed over the partitions.

    Example: end 100, two buckets at 90 and 70: 30.
    """
    return sum(
        max(0, *(end - state.positions.get(partition, 0) for state in states.values()))
        for partition, end in ends.items()
    )
