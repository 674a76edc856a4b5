"""Listens to "tenant T changed". Hints may be lost at any time: whoever listens reads again now and then anyway."""

import asyncio
from collections.abc import Callable

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.store import keys

log = structlog.stdlib.get_logger(__name__)

RETRY_S = 1.0
"""Between tries to subscribe: meanwhile views are read every few seconds by themselves."""

CHECK_S = 5
"""A dead link is noticed by a ping this often."""


async def listen(url: str, changed: Callable[[str], None], gap: Callable[[], None]) -> None:
    """Calls `changed` with a tenant, and `gap` after every subscription: hints before it may be lost. For ever."""
    while True:
        client = Redis.from_url(url, retry=Retry(NoBackoff(), 0), health_check_interval=CHECK_S, protocol=2)
        try:
            await _follow(client, changed, gap)
        except (RedisError, OSError) as error:
            log.warning("hints are away", problem=repr(error))
        finally:
            await client.aclose()
        await asyncio.sleep(RETRY_S)


async def _follow(client: Redis, changed: Callable[[str], None], gap: Callable[[], None]) -> None:
    async with client.pubsub() as subscription:
        await subscription.subscribe(keys.HINTS)
        while True:
            message = await subscription.get_message(timeout=CHECK_S)
            if message is None:
                continue
            if message["type"] == "message":
                changed(message["data"].decode().partition(" ")[0])
            elif message["type"] == "subscribe":  # redis-py subscribes again by itself, and says no more than this
                gap()
