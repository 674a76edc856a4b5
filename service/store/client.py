"""A redis-py client of one server, for what doesn't go over a wire. Opens nothing before its first command."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CLOSED_WITHIN_S = 1.0
"""Longest wait for the end of a connection: to a server that is frozen it may never come."""


@contextlib.asynccontextmanager
async def opened_client(url: str) -> AsyncIterator[Redis]:
    """A client that repeats nothing by itself, and has no limit of time: the caller's is around each command."""
    # Without a time-out of redis-py's own: it sends by `wait_for` then, and loses cancellations before Python 3.12.
    client = Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None, protocol=2)
    try:
        yield client
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSED_WITHIN_S):
                await client.aclose()
