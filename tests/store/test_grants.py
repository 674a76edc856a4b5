"""Grants: kept for a limited time, taken once, and named so that the store's content opens nothing."""

import asyncio

from service.store.grants import name_of, new_secret
from service.store.redis_store import RedisStore
from tests.servers.redis_server import closing_client
from tests.store.contract import Store
from tests.waiting import wait_until

MINUTE_MS = 60_000


async def test_a_grant_is_read_as_often_as_one_likes(store: Store) -> None:
    await store.put_grant("cookie:x", b"\x00what\xff", MINUTE_MS)
    assert [await store.grant("cookie:x") for _ in range(3)] == [b"\x00what\xff"] * 3
    assert await store.grant("cookie:y") is None
    assert await store.grant("ticket:x") is None


async def test_a_grant_is_taken_once_also_by_many_at_once(store: Store) -> None:
    await store.put_grant("ticket:x", b"what", MINUTE_MS)
    taken = await asyncio.gather(*(store.take_grant("ticket:x") for _ in range(10)))
    assert sorted(taken, key=str) == [None] * 9 + [b"what"] or sorted(taken, key=str) == [b"what"] + [None] * 9
    assert await store.grant("ticket:x") is None
    assert await store.take_grant("never") is None


async def test_a_grant_ends_with_its_time(store: Store) -> None:
    await store.put_grant("ticket:x", b"what", 30)
    await store.put_grant("cookie:x", b"what", 30)

    async def gone() -> bool:
        return await store.grant("cookie:x") is None

    await wait_until(gone, 5, "the grant to end")
    assert await store.take_grant("ticket:x") is None


async def test_a_grant_put_again_has_the_new_time_and_value(store: Store) -> None:
    await store.put_grant("cookie:x", b"old", 1)
    await store.put_grant("cookie:x", b"new", MINUTE_MS)
    assert await store.grant("cookie:x") == b"new"


async def test_keys_leave_redis_by_themselves(redis_store: RedisStore, redis_db: str) -> None:
    secret = new_secret()
    await redis_store.put_grant(name_of("ticket", secret), b"what", MINUTE_MS)
    with closing_client(redis_db) as client:
        (key,) = client.keys("tc:grant:*")
        assert 0 < client.pttl(key) <= MINUTE_MS
        assert secret.encode() not in key


def test_secrets_fit_a_url_and_a_cookie_and_never_repeat() -> None:
    secrets = [new_secret() for _ in range(1_000)]
    assert len(set(secrets)) == 1_000
    assert all(len(secret) == 32 and secret.replace("-", "").replace("_", "").isalnum() for secret in secrets)


def test_a_name_tells_kinds_and_secrets_apart_and_tells_no_secret() -> None:
    names = {name_of(kind, secret) for kind in ("ticket", "cookie") for secret in ("a", "b", "")}
    assert len(names) == 6
    assert "secret" not in name_of("ticket", "secret")
