"""Per-bucket leases: one consumer runs the bucket's timers, backfills and audits. Never needed for exactness."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import structlog

from service.store.ports.backfill import LeaseStore
from service.store.ports.catalogue import Bucket
from service.store.ports.errors import StoreUnavailable

log = structlog.get_logger()

LEASE_MS = 3_000
"""Length of a lease, and so the longest stop of a bucket's timers after its consumer crashed."""

RENEWED_AFTER = 1 / 3
"""Share of a lease's length after which it is renewed: two renewals may fail before it ends."""

ASK_AGAIN_S = 0.25
"""Pause between two tries to take another consumer's lease, so that timers go on within a second after a clean stop.
For 64 buckets it costs some 256 short calls a second, 64 in each round trip."""

GIVE_BACK_S = 1.0
"""Longest wait for Redis to release the leases at a stop; otherwise they expire."""


class Leases:
    """The leases of one process, held under one random id."""

    def __init__(self, store: LeaseStore) -> None:
        self._store = store
        self._holder = uuid.uuid4().hex
        self._known: dict[Bucket, tuple[bool, float]] = {}
        """By bucket: whether this process holds the lease, and when to ask Redis again."""

    @asynccontextmanager
    async def given_back(self) -> AsyncIterator[Self]:
        """Releases all leases at the end of the context, so that another consumer can take them at once."""
        try:
            yield self
        finally:
            try:
                async with asyncio.timeout(GIVE_BACK_S):
                    await self._give_back()
            except (StoreUnavailable, TimeoutError) as error:
                log.info("leases are not given back", error=repr(error))

    async def take(self, bucket: Bucket) -> bool:
        """Takes or renews the lease; returns False while another process holds it. Raises StoreUnavailable."""
        asked_at = asyncio.get_running_loop().time()
        mine = await self._store.lease(bucket, self._holder, LEASE_MS)
        again_s = LEASE_MS / 1000 * RENEWED_AFTER if mine else ASK_AGAIN_S
        self._known[bucket] = (mine, asked_at + again_s)
        return mine

    async def mine(self, bucket: Bucket) -> bool:
        """Returns whether this process holds the lease, from memory while that is recent; otherwise tries to take it.

        Raises StoreUnavailable.
        """
        mine, good_until = self._known.get(bucket, (False, 0.0))
        if asyncio.get_running_loop().time() < good_until:
            return mine
        return await self.take(bucket)

    async def _give_back(self) -> None:
        held = [bucket for bucket, (mine, _) in self._known.items() if mine]
        self._known.clear()
        await asyncio.gather(*(self._store.give_back(bucket, self._holder) for bucket in held))
