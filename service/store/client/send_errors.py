"""What sending by a connection that has ended looks like, whatever loop runs: a connection that was lost."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import ConnectionError as ConnectionLost


@contextmanager
def sending() -> Iterator[None]:
    """Around what sends by redis-py, and nothing else. Raises redis-py's ConnectionError; nothing was sent then.

    A connection that was reset while nobody was reading is closed at once by uvloop, which calls the next write a
    programmer's error (`TCPTransport._ensure_alive`); asyncio's own loop leaves it to the next read.
    """
    try:
        yield
    except RuntimeError as error:
        raise ConnectionLost(f"the connection has ended: {error}") from error
