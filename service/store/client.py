"""A redis-py client of one server, for what doesn't go over a wire. Opens nothing before its first command."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


def client_of(url: str) -> Redis:
    """A client that repeats nothing by itself, and has no limit of time: the caller's is around the whole."""
    # Without a time-out of redis-py's own: it sends by `wait_for` then, and loses cancellations before Python 3.12.
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None, protocol=2)
