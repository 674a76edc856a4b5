"""Opens a redis-py client of one server, parses URLs, and words lost connections alike. Never retries a command."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost

from service.store.client.slots import Address

CLOSED_WITHIN_S = 1.0
"""Longest wait for a connection to close: with a frozen server it may never close."""


class Way(NamedTuple):
    """The parts of a URL for messages: `where` may be shown, `password` must be masked."""

    where: str
    password: str


def way_to(url: str) -> Way:
    """Parses the URL of one server: `where` is `host:port`, or the path of a socket."""
    options: Mapping[str, Any] = parse_url(url)
    address = Address(options.get("host", "localhost"), int(options.get("port", 6379)))
    return Way(str(options.get("path", address)), str(options.get("password") or ""))


@contextlib.asynccontextmanager
async def opened_client(url: str) -> AsyncIterator[Redis]:
    """Opens a client without retries and time-outs: the caller puts a time-out around each command."""
    # No time-out of redis-py: with one it sends with `wait_for`, which loses cancellations before Python 3.12.
    client = Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None, protocol=2)
    try:
        yield client
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSED_WITHIN_S):
                await client.aclose()


@contextlib.contextmanager
def sending() -> Iterator[None]:
    """Wraps one send by redis-py. Raises redis-py's ConnectionError when nothing was sent.

    uvloop closes a connection at once when it is reset between reads, and raises RuntimeError for the next write
    (`TCPTransport._ensure_alive`). asyncio's own loop reports the reset at the next read.
    """
    try:
        yield
    except RuntimeError as error:
        raise ConnectionLost(f"the connection has ended: {error}") from error
