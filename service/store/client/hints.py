"""Listens to "tenant T changed". Hints may be lost at any time: whoever listens reads again now and then anyway."""

import asyncio
from collections.abc import Callable

import structlog
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisError

from service.store import keys
from service.store.client.hint_sources import HintSources
from service.store.client.redis_client import opened_client, way_to
from service.store.client.redis_errors import failure_text
from service.store.client.send_errors import sending
from service.store.ports.errors import StoreUnavailable

log = structlog.stdlib.get_logger(__name__)

RETRY_S = 1.0
"""Between tries to subscribe: meanwhile views are read every few seconds by themselves."""

LONGEST_TRY_S = RETRY_S + 5.0
"""From one failed try to the next: what fails later was well in between, and is said again."""

SILENCE_S = 2.5
"""Silence after which the link is asked whether it lives; as long again without an answer, and it is dead."""


async def listen(url: str, changed: Callable[[str], None], gap: Callable[[], None]) -> None:
    """Calls `changed` with a tenant, and `gap` after every subscription: hints before it may be lost. For ever.

    In a cluster every server hears what is published at any of them, so any will do, and another when that one is gone.
    """
    sources, said, failed_at = HintSources(url), "", 0.0
    while True:
        server = url
        try:
            server = await sources.next()
            await _listen(server, changed, gap)
        except (RedisError, OSError, TimeoutError, StoreUnavailable) as error:
            problem, now = _problem(server, error), asyncio.get_running_loop().time()
            if problem != said or now > failed_at + 2 * LONGEST_TRY_S:
                log.warning("hints are away", problem=problem)
            said, failed_at = problem, now
        await asyncio.sleep(RETRY_S)


def _problem(server: str, error: Exception) -> str:
    if isinstance(error, StoreUnavailable):  # which says where
        return str(error)
    way = way_to(server)
    return failure_text(way.where, error, way.password)


async def _listen(server: str, changed: Callable[[str], None], gap: Callable[[], None]) -> None:
    async with opened_client(server) as client, client.pubsub() as subscription:
        async with asyncio.timeout(2 * SILENCE_S):
            with sending():
                await subscription.subscribe(keys.HINTS)
        await _follow(subscription, changed, gap)


async def _follow(subscription: PubSub, changed: Callable[[str], None], gap: Callable[[], None]) -> None:
    asked = False
    while True:
        # Around all of it: where the link has ended, redis-py makes a new one first, and sets no limit to that.
        async with asyncio.timeout(2 * SILENCE_S):
            message = await subscription.get_message(timeout=SILENCE_S)
            if message is None:
                if asked:
                    raise ConnectionLost("the link is silent")
                with sending():
                    await subscription.ping()
        if message is not None and message["type"] == "message":
            changed(message["data"].decode(errors="replace").partition(" ")[0])
        elif message is not None and message["type"] == "subscribe":
            gap()  # redis-py subscribes again by itself, and says no more than this
        asked = message is None
