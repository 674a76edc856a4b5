"""The catalogue as Redis holds it, for people to look at. Writes nothing, not even the layout of an empty Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.config.shared_settings import SharedSettings
from service.store import keys
from service.store.client.store_client import opened_client
from service.store.ports.catalogue import StoredTenant
from service.store.ports.errors import StoreRefused
from service.store.redis.store import RedisStore


class NothingFound(Exception):
    """There is no such thing: the message says what was looked for, and where."""


@asynccontextmanager
async def opened(settings: SharedSettings) -> AsyncIterator[RedisStore]:
    """The store these settings name. Raises NothingFound for an empty Redis, StoreRefused for another layout."""
    async with opened_client(settings.redis, settings.redis_timeout_s) as client:
        laid_out = await client.call("HGET", keys.LAYOUT, "buckets")
        if laid_out is None:
            raise NothingFound("TICKET_COUNTS_REDIS: no consumer has written to this Redis yet")
        if int(laid_out) != settings.buckets:
            raise StoreRefused(
                f"TICKET_COUNTS_BUCKETS: this Redis was laid out with {int(laid_out)}, not {settings.buckets}"
            )
        yield RedisStore(client, settings.buckets)


async def stored_tenant(store: RedisStore, tenant: str) -> StoredTenant:
    """The tenant in force under this name. Raises NothingFound."""
    stored = await store.tenant(tenant)
    if stored is None:
        raise NothingFound(f"tenant {tenant!r}: none in force")
    return stored
