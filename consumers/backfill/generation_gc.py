"""Generation garbage collection: deletes tickets, counters and due entries of orphaned generations, in small batches.

Never touches a serving generation. Concurrent collectors are harmless, and the next one continues after a crash.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from consumers.backoff import Backoff
from service.store.page_size import PageSize
from service.store.ports.backfill import OrphanStore

SCAN_BATCH, FIRST_SCAN_BATCH = 200, 20
"""Most tickets per batch, and tickets of the first batch, which measures how large they are."""

SCAN_BATCH_S = 0.02
"""A batch that takes longer makes the next one smaller: events wait for a batch that long."""

REST_SHARE = 1.0
"""Rest after each batch, as a share of its duration, so that events and queries have half of the time."""

NAMES = 1_000
"""Keys per SCAN call: half a millisecond of Redis."""

Orphan = tuple[str, str]
"""Tenant and generation."""


async def _at_once() -> None:
    """Waits for nothing."""


GiveWay = Callable[[], Awaitable[None]]
"""Waits for live work before the next batch."""


async def collect(store: OrphanStore, orphans: Collection[Orphan], give_way: GiveWay = _at_once) -> None:
    """Deletes everything of these generations, and then removes them from the list. Raises StoreUnavailable."""
    for orphan in sorted(orphans):
        await collect_tickets(store, orphan, give_way)
    await collect_counters(store, orphans)


async def collect_tickets(store: OrphanStore, orphan: Orphan, give_way: GiveWay = _at_once) -> None:
    """Deletes an orphan's tickets and the counters that they are in: nearly all its keys. Raises StoreUnavailable."""
    loop, size = asyncio.get_running_loop(), PageSize(FIRST_SCAN_BATCH, SCAN_BATCH, SCAN_BATCH_S)
    while True:
        await give_way()
        began = loop.time()
        if await store.collect(*orphan, size.tickets):
            return
        took = loop.time() - began
        size.note(took)
        await asyncio.sleep(REST_SHARE * took)


async def collect_counters(store: OrphanStore, orphans: Collection[Orphan]) -> None:
    """Deletes the remaining counters of orphans without tickets: counters that no ticket is in, left by drift.

    Only their key names identify them, so this scans all keys once for all orphans. Raises StoreUnavailable.
    """
    loop, backoff = asyncio.get_running_loop(), Backoff()
    while orphans:
        began = loop.time()
        run, cursor = await store.run(), await store.collect_counters(orphans, 0, NAMES)
        while cursor:
            await asyncio.sleep(REST_SHARE * (loop.time() - began))
            began = loop.time()
            cursor = await store.collect_counters(orphans, cursor, NAMES)
        if await store.run() == run:  # a restarted Redis orders keys differently, so the scan may have missed some
            await store.forget_orphans(orphans)
            return
        await backoff.pause()
