"""Turns uvloop's error for a write to a closed connection into a lost connection. Sends nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import ConnectionError as ConnectionLost


@contextmanager
def sending() -> Iterator[None]:
    """Wraps a send by redis-py, and nothing else. Raises redis-py's ConnectionError; then nothing was sent.

    uvloop closes a connection at once when it is reset between reads, and raises RuntimeError for the next write
    (`TCPTransport._ensure_alive`). asyncio's own loop reports the reset at the next read.
    """
    try:
        yield
    except RuntimeError as error:
        raise ConnectionLost(f"the connection has ended: {error}") from error
