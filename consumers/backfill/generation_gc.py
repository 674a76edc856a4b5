"""Removes what generations that serve nobody have left in the store: tickets, counters, what was due. In small bites.

Two at once do no harm, and one that is killed leaves the rest to the next.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from consumers.backoff import Backoff
from service.store.page_size import PageSize
from service.store.ports.backfill import OrphanStore

SCAN_BATCH, FIRST_SCAN_BATCH = 200, 20
"""Most tickets per bite, and those of the first one, which shows how large they are."""

SCAN_BATCH_S = 0.02
"""How long a bite may take before the next one is smaller: events wait no longer behind one."""

REST_SHARE = 1.0
"""Rest after each bite, as a share of what it took: whoever counts or answers goes first."""

NAMES = 1_000
"""Keys looked at in one read: half a millisecond of Redis."""

Orphan = tuple[str, str]
"""Tenant and generation."""


async def _at_once() -> None:
    """Gives way to nothing."""


GiveWay = Callable[[], Awaitable[None]]
"""Waits for whatever goes before a bite."""


async def collect(store: OrphanStore, orphans: Collection[Orphan], give_way: GiveWay = _at_once) -> None:
    """Removes all that these have left, and forgets them. Raises StoreUnavailable."""
    for orphan in sorted(orphans):
        await collect_tickets(store, orphan, give_way)
    await collect_counters(store, orphans)


async def collect_tickets(store: OrphanStore, orphan: Orphan, give_way: GiveWay = _at_once) -> None:
    """Removes an orphan's tickets, and the counters they are in: nearly all of it. Raises StoreUnavailable."""
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
    """Removes the counters of orphans whose tickets are gone: those that no ticket led to, as drift leaves them.

    Nothing else names them, so this is one walk over the names of all keys, for however many orphans. Raises
    StoreUnavailable.
    """
    loop, backoff = asyncio.get_running_loop(), Backoff()
    while orphans:
        began = loop.time()
        run, cursor = await store.run(), await store.collect_counters(orphans, 0, NAMES)
        while cursor:
            await asyncio.sleep(REST_SHARE * (loop.time() - began))
            began = loop.time()
            cursor = await store.collect_counters(orphans, cursor, NAMES)
        if await store.run() == run:  # another one orders its keys otherwise
            await store.forget_orphans(orphans)
            return
        await backoff.pause()
