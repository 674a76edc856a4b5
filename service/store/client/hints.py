"""Subscribes to hints ("tenant T has changed"). Never guarantees delivery: subscribers also read at intervals."""

import asyncio
import random
from collections.abc import Callable

import structlog
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisError

from service.store import keys
from service.store.client.cluster_view import ClusterUrl, is_cluster, view_of
from service.store.client.redis_client import opened_client, sending, way_to
from service.store.client.redis_errors import failure_text
from service.store.client.slots import Address
from service.store.ports.errors import StoreUnavailable

LIMIT_S = 1.0
"""Longest wait for one server before the next one is tried."""


class HintSources:
    """Returns servers in turn: the URL's only one, or those of a cluster, including servers that join later."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cluster = ClusterUrl.of(url) if is_cluster(url) else None
        self._known = frozenset(self._cluster.seeds if self._cluster else ())
        self._waiting: list[Address] = []

    async def next(self) -> str:
        """Returns a server's URL; in a cluster, that of a server that has just answered. Raises StoreUnavailable."""
        if self._cluster is None:
            return self._url
        if not self._waiting:
            self._waiting = [*self._known | {*self._cluster.seeds}]
            random.shuffle(self._waiting)  # spreads processes over servers
        address = self._waiting.pop()
        view = await view_of(self._cluster, address, LIMIT_S)
        self._known = frozenset(node.address for node in view.nodes)
        return self._cluster.server(address)


log = structlog.stdlib.get_logger(__name__)

RETRY_S = 1.0
"""Pause between attempts to subscribe: meanwhile each view is read every few seconds."""

LONGEST_TRY_S = RETRY_S + 5.0
"""Longest time from one failed attempt to the next: a later failure follows a success, so it is logged again."""

SILENCE_S = 2.5
"""Silence after which the connection is pinged; without an answer for as long again, it is dead."""


async def listen(url: str, changed: Callable[[str], None], gap: Callable[[], None]) -> None:
    """Runs for ever: calls `changed` with the tenant of each hint, and `gap` after each subscription.

    A gap means that earlier hints may be lost.

    In a cluster, every server receives what is published at any of them, so any one will do.
    """
    sources, logged, failed_at = HintSources(url), "", 0.0
    while True:
        server = url
        try:
            server = await sources.next()
            await _listen(server, changed, gap)
        except (RedisError, OSError, TimeoutError, StoreUnavailable) as error:
            problem, now = _problem(server, error), asyncio.get_running_loop().time()
            if problem != logged or now > failed_at + 2 * LONGEST_TRY_S:
                log.warning("hints are away", problem=problem)
            logged, failed_at = problem, now
        await asyncio.sleep(RETRY_S)


def _problem(server: str, error: Exception) -> str:
    if isinstance(error, StoreUnavailable):  # its message names the server
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
    pinged = False
    while True:
        # Around everything: redis-py first reconnects a closed connection, without a time limit.
        async with asyncio.timeout(2 * SILENCE_S):
            message = await subscription.get_message(timeout=SILENCE_S)
            if message is None:
                if pinged:
                    raise ConnectionLost("the link is silent")
                with sending():
                    await subscription.ping()
        if message is not None and message["type"] == "message":
            changed(message["data"].decode(errors="replace").partition(" ")[0])
        elif message is not None and message["type"] == "subscribe":
            gap()  # redis-py resubscribes silently; this message is the only sign
        pinged = message is None
