"""A redis-py client of one server, for what doesn't go over a wire, and what its URL says. Opens nothing by itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from service.store.client.slots import Address

CLOSED_WITHIN_S = 1.0
"""Longest wait for the end of a connection: to a server that is frozen it may never come."""


class Way(NamedTuple):
    """What people are told of a URL, and what they must never be told."""

    where: str
    password: str


def way_to(url: str) -> Way:
    """Where the URL of one server leads: `host:port`, or the path of a socket."""
    options: Mapping[str, Any] = parse_url(url)
    address = Address(options.get("host", "localhost"), int(options.get("port", 6379)))
    return Way(str(options.get("path", address)), str(options.get("password") or ""))


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
