"""Removes orphans from Redis: the tickets and counters of generations that serve no reads. Never decides which."""

import asyncio
from collections.abc import Collection, Sequence

from service.domain.counting.scopes import EVERYONE, places_of
from service.store import codec, keys
from service.store.redis.auditing import RedisAuditing

_COUNTER_KEYS = (keys.counter, keys.timed)


class RedisOrphans(RedisAuditing):
    """Implements `backfill.OrphanStore`, whose docstrings are the contract."""

    async def orphans(self) -> Sequence[tuple[str, str]]:
        buckets = range(self.buckets)
        found = await asyncio.gather(*(self._client.call("SMEMBERS", keys.orphans(bucket)) for bucket in buckets))
        pairs = [codec.text(orphan).partition(" ") for members in found for orphan in members]
        return [(tenant, generation) for tenant, _, generation in pairs]

    async def collect(self, tenant: str, generation: str, limit: int) -> bool:
        bucket = self.bucket(tenant)
        tickets = keys.tickets(bucket, tenant, generation)
        # Not HSCAN: restarted, it walks over the slots of the hash that earlier calls emptied, and returns ever fewer.
        found = await self._client.call("HRANDFIELD", tickets, limit, "WITHVALUES")
        if found:
            ticket_states = [codec.unpack_ticket_state(packed) for packed in found[1::2]]
            counters = {
                counter
                for ticket_state in ticket_states
                if ticket_state.ticket
                for counter, _ in places_of(ticket_state.ticket)
            }
            gone = [key(bucket, tenant, generation, name) for name in sorted(counters) for key in _COUNTER_KEYS]
            if gone:
                await self._client.call("UNLINK", *gone)
            members = [keys.due_member(tenant, generation, codec.text(ticket)) for ticket in found[::2]]
            await self._client.call("ZREM", keys.due(bucket), *members)
            await self._client.call("HDEL", tickets, *found[::2])
            return False
        everyone = [key(bucket, tenant, generation, EVERYONE) for key in _COUNTER_KEYS]
        await self._client.call("UNLINK", tickets, *everyone)
        return True

    async def collect_counters(self, orphans: Collection[tuple[str, str]], cursor: int, limit: int) -> int:
        following, names = await self.counter_names(cursor, limit)
        gone: dict[tuple[str, str], list[str]] = {}
        for tenant, generation, counter in names:
            if (tenant, generation) in orphans:
                place = (self.bucket(tenant), tenant, generation, counter)
                gone.setdefault((tenant, generation), []).extend(key(*place) for key in _COUNTER_KEYS)
        for names_in_bucket in gone.values():  # an orphan's keys share a bucket
            await self._client.call("UNLINK", *names_in_bucket)
        return following

    async def forget_orphans(self, orphans: Collection[tuple[str, str]]) -> None:
        for tenant, generation in orphans:
            await self._client.call("SREM", keys.orphans(self.bucket(tenant)), f"{tenant} {generation}")
