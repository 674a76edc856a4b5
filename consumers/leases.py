"""Who does a bucket's work that one consumer is enough for: its sweeps and its timers. Two at once would do no harm."""

import asyncio
import uuid

from service.store.port import Bucket, CounterStore

LEASE_MS = 3_000
"""How long a bucket's timers wait for the next consumer when the one that held it is gone."""

RENEWED_AFTER = 1 / 3
"""Of a lease's time: two renewals may fail before it is over."""

ASK_AGAIN_S = 1.0
"""How often to ask for a lease that somebody else has."""


class Leases:
    """The leases of one process, all under one name."""

    def __init__(self, store: CounterStore) -> None:
        self._store = store
        self._holder = uuid.uuid4().hex
        self._asked: dict[Bucket, tuple[bool, float]] = {}
        """Whether it is ours, and until when that need not be asked again."""

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
