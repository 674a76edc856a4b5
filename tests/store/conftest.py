"""A store of each kind, empty; the Redis ones on the run's real server and real cluster."""

from collections.abc import AsyncIterator

import pytest

from service.store.redis.store import RedisStore, open_store
from tests.fakes.memory_store import MemoryStore
from tests.store.contract import BUCKETS, Store, now_ms, stored

TIMEOUT_S = 10.0


@pytest.fixture(params=["memory", "redis", "cluster"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """Each kind in turn, with one tenant in force."""
    if request.param == "memory":
        memory = MemoryStore(BUCKETS, now_ms)
        assert await memory.put_tenant("acme", None, stored())
        yield memory
        return
    async with open_store(url_of(request.param, request), BUCKETS, TIMEOUT_S) as opened:
        assert await opened.put_tenant("acme", None, stored())
        yield opened


def url_of(kind: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty Redis of that kind: one server, or a cluster."""
    return str(
        request.getfixturevalue("redis_cluster_db").url if kind == "cluster" else request.getfixturevalue("redis_db")
    )


@pytest.fixture
async def redis_store(redis_db: str) -> AsyncIterator[RedisStore]:
    """The Redis one alone, with one tenant in force."""
    async with open_store(redis_db, BUCKETS, TIMEOUT_S) as opened:
        assert await opened.put_tenant("acme", None, stored())
        yield opened
