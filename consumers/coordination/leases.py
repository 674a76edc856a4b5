"""Per-bucket leases: one consumer runs the bucket's timers, backfills and audits. Two at once would do no harm."""

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
"""How long a bucket's timers wait for the next consumer when the one that held it is gone without a word."""

RENEWED_AFTER = 1 / 3
"""Of a lease's time: two renewals may fail before it is over."""

ASK_AGAIN_S = 0.25
"""How often to ask for a lease that somebody else has. With the timers' own pauses it keeps them within a second where
leases are given back; 64 buckets are one round trip, and some 256 short calls a second."""

GIVE_BACK_S = 1.0
"""Longest that a stop waits for Redis to take the leases back; without it they end by themselves."""


class Leases:
    """The leases of one process, all under one name."""

    def __init__(self, store: LeaseStore) -> None:
        self._store = store
        self._holder = uuid.uuid4().hex
        self._asked: dict[Bucket, tuple[bool, float]] = {}
        """Whether it is ours, and until when that need not be asked again."""

    @asynccontextmanager
    async def given_back(self) -> AsyncIterator[Self]:
        """Gives all leases back at the end of the context, so that the next consumer goes on at once."""
        try:
            yield self
        finally:
            try:
                async with asyncio.timeout(GIVE_BACK_S):
                    await self._give_back()
            except (StoreUnavailable, TimeoutError) as error:
                log.info("leases are not given back", error=repr(error))

    async def take(self, bucket: Bucket) -> bool:
        """Takes or renews the lease; False while somebody else has it. Raises StoreUnavailable."""
        asked_at = asyncio.get_running_loop().time()
        mine = await self._store.lease(bucket, self._holder, LEASE_MS)
        again_s = LEASE_MS / 1000 * RENEWED_AFTER if mine else ASK_AGAIN_S
        self._asked[bucket] = (mine, asked_at + again_s)
        return mine

    async def mine(self, bucket: Bucket) -> bool:
        """Whether it is ours, as of lately; takes it where it is free. Raises StoreUnavailable."""
        mine, good_until = self._asked.get(bucket, (False, 0.0))
        if asyncio.get_running_loop().time() < good_until:
            return mine
        return await self.take(bucket)

    async def _give_back(self) -> None:
        held = [bucket for bucket, (mine, _) in self._asked.items() if mine]
        self._asked.clear()
        await asyncio.gather(*(self._store.give_back(bucket, self._holder) for bucket in held))
