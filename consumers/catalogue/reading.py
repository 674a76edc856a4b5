"""Opens Redis for commands that read the catalogue. Writes nothing, not even the layout of an empty Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.config.shared_settings import SharedSettings
from service.store import keys
from service.store.client.store_client import opened_client
from service.store.ports.catalogue import StoredTenant
from service.store.ports.errors import StoreRefused
from service.store.redis.store import RedisStore


class NothingFound(Exception):
    """The named thing doesn't exist. The message names it and its kind."""


@asynccontextmanager
async def opened(settings: SharedSettings) -> AsyncIterator[RedisStore]:
    """Opens the store of these settings. Raises NothingFound for an empty Redis, StoreRefused for another layout."""
    async with opened_client(settings.redis_url, settings.redis_timeout_s) as client:
        laid_out = await client.call("HGET", keys.LAYOUT, "buckets")
        if laid_out is None:
            raise NothingFound("TICKET_COUNTS_REDIS: no consumer has written to this Redis yet")
        if int(laid_out) != settings.buckets:
            raise StoreRefused(
                f"TICKET_COUNTS_BUCKETS: this Redis was laid out with {int(laid_out)}, not {settings.buckets}"
            )
        yield RedisStore(client, settings.buckets)


async def stored_tenant(store: RedisStore, tenant: str) -> StoredTenant:
    """Returns the stored tenant. Raises NothingFound."""
    stored = await store.tenant(tenant)
    if stored is None:
        raise NothingFound(f"tenant {tenant!r}: none in force")
    return stored
