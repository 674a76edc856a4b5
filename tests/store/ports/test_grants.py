"""Grants: kept for a limited time, exchanged once, few of an owner; what the store holds of them opens nothing."""

import asyncio

from service.store.ports.grants import GRANT_BYTES, Grant, Lives, name_of, new_secret, owner_of
from service.store.redis.store import RedisStore
from tests.servers.redis.redis_server import closing_client
from tests.store.contract import Store
from tests.support.waiting import wait_until

MINUTE_MS = 60_000
MINUTE = Lives(MINUTE_MS, 10 * MINUTE_MS)
ANN, BOB = owner_of("realm", "ann"), owner_of("realm", "bob")
WHAT = Grant(b"\x00what\xff", "1800000000123456")
MOST = 5


async def put(store: Store, name: str, what: Grant = WHAT, *, owner: str = ANN, lives: Lives = MINUTE) -> None:
    await store.put_grant(owner, name, what, lives, MOST)


async def left(store: Store, *names: str, owner: str = ANN) -> list[str]:
    """Which of these are still there; looking uses each, in this order."""
    return [name for name in names if await store.grant(owner, name) is not None]


async def test_a_grant_is_read_as_often_as_one_likes_by_its_owner_and_name(store: Store) -> None:
    await put(store, "cookie:x")
    assert [await store.grant(ANN, "cookie:x") for _ in range(3)] == [WHAT] * 3
    assert await store.grant(ANN, "cookie:y") is None
    assert await store.grant(ANN, "ticket:x") is None
    assert await store.grant(BOB, "cookie:x") is None


async def test_a_grant_is_exchanged_once_also_by_many_at_once(store: Store) -> None:
    await put(store, "ticket:x")
    names = [f"cookie:{number}" for number in range(10)]
    taken = await asyncio.gather(*(store.exchange_grant(ANN, "ticket:x", name) for name in names))
    assert sorted(taken, key=str) == sorted([None] * 9 + [WHAT], key=str)
    assert await store.grant(ANN, "ticket:x") is None
    assert await store.exchange_grant(ANN, "never", "cookie:z") is None
    (won,) = [name for name, grant in zip(names, taken, strict=True) if grant is not None]
    assert await left(store, *names) == [won]
    assert await store.grant(ANN, won) == WHAT


async def test_a_grant_ends_with_its_time(store: Store) -> None:
    await put(store, "ticket:x", lives=Lives(30, MINUTE_MS))
    await put(store, "cookie:x", lives=Lives(30, 30))
    await put(store, "cookie:y")

    async def gone() -> bool:
        return await left(store, "cookie:x", "ticket:x") == []

    await wait_until(gone, 20, "the grants to end")
    assert await store.exchange_grant(ANN, "ticket:x", "cookie:z") is None
    assert await left(store, "cookie:z", "cookie:y") == ["cookie:y"]


async def test_a_grant_that_was_exchanged_lives_as_long_as_it_then_may(store: Store) -> None:
    ttl_ms = 100
    while True:  # until it is exchanged in time
        await put(store, "ticket:long", lives=Lives(ttl_ms, 10 * MINUTE_MS))
        if await store.exchange_grant(ANN, "ticket:long", "cookie:long") is not None:
            break
        ttl_ms *= 2
    await put(store, "ticket:unspent", lives=Lives(ttl_ms, 10 * MINUTE_MS))

    async def gone() -> bool:
        return await store.grant(ANN, "ticket:unspent") is None

    await wait_until(gone, 60, "a ticket that nobody exchanged to end")
    assert await store.grant(ANN, "cookie:long") == WHAT


async def test_a_grant_put_again_has_the_new_time_and_value(store: Store) -> None:
    await put(store, "cookie:x", Grant(b"old", "1"), lives=Lives(1, 1))
    await put(store, "cookie:x", Grant(b"new", "2"))
    assert await store.grant(ANN, "cookie:x") == Grant(b"new", "2")


async def test_of_too_many_the_least_recently_used_goes(store: Store) -> None:
    await put(store, "cookie:0", owner=BOB)
    for number in range(MOST):
        await put(store, f"cookie:{number}")
        await asyncio.sleep(0.002)  # uses are told apart by the millisecond
    assert await store.grant(ANN, "cookie:0") == WHAT
    await asyncio.sleep(0.002)
    await put(store, "cookie:new")
    assert await left(store, *(f"cookie:{number}" for number in range(MOST)), "cookie:new") == [
        "cookie:0", "cookie:2", "cookie:3", "cookie:4", "cookie:new",
    ]  # fmt: skip
    assert await left(store, "cookie:0", owner=BOB) == ["cookie:0"], "each owner has so many"


async def test_grants_that_have_ended_take_no_place(store: Store) -> None:
    await put(store, "cookie:0")
    for number in range(MOST * 2):
        await put(store, f"ticket:{number}", lives=Lives(1, 1))
        await asyncio.sleep(0.002)
    await put(store, "cookie:1")
    assert await left(store, "cookie:0", "cookie:1") == ["cookie:0", "cookie:1"]


async def test_zero_is_no_limit(store: Store) -> None:
    for number in range(MOST * 4):
        await store.put_grant(ANN, f"cookie:{number}", Grant(b"%d" % number * 10_000, "1"), MINUTE, 0)
    assert len(await left(store, *(f"cookie:{number}" for number in range(MOST * 4)))) == MOST * 4


async def test_what_all_grants_of_an_owner_say_has_a_limit_and_the_newest_is_kept(store: Store) -> None:
    large = GRANT_BYTES * MOST // 2
    for number in range(3):
        await put(store, f"cookie:{number}", Grant(b"%d" % number * large, "1"))
        await asyncio.sleep(0.002)
    assert await left(store, "cookie:0", "cookie:1", "cookie:2") == ["cookie:1", "cookie:2"]
    await put(store, "cookie:huge", Grant(b"x" * large * 3, "1"))
    assert await left(store, "cookie:1", "cookie:2", "cookie:huge") == ["cookie:huge"]


async def test_what_grants_have_in_common_is_kept_once_and_as_long_as_any_says_it(
    redis_store: RedisStore, redis_db: str
) -> None:
    for number in range(MOST * 3):
        await put(redis_store, f"cookie:{number}", Grant(b"shared" * 1_000, str(number)))
    with closing_client(redis_db) as client:
        assert client.hlen(f"tc:grant:{{{ANN}}}") == MOST
        assert client.hlen(f"tc:grant:{{{ANN}}}:content") == 1
        for number in range(MOST):
            await put(redis_store, f"other:{number}", Grant(b"other%d" % number, "1"))
        assert client.hlen(f"tc:grant:{{{ANN}}}:content") == MOST


async def test_keys_leave_redis_by_themselves(redis_store: RedisStore, redis_db: str) -> None:
    secret = new_secret()
    await put(redis_store, name_of("ticket", secret))
    with closing_client(redis_db) as client:
        keys = client.keys("tc:grant:*")
        assert len(keys) == 2
        assert all(0 < client.pttl(key) <= MINUTE_MS for key in keys), "a ticket's time, not yet its cookie's"
        await redis_store.exchange_grant(ANN, name_of("ticket", secret), name_of("cookie", secret))
        assert all(MINUTE_MS < client.pttl(key) <= 10 * MINUTE_MS for key in keys)
        assert secret not in repr([client.hgetall(key) for key in keys])


def test_secrets_fit_a_url_and_a_cookie_and_never_repeat() -> None:
    secrets = [new_secret() for _ in range(1_000)]
    assert len(set(secrets)) == 1_000
    assert all(len(secret) == 32 and secret.replace("-", "").replace("_", "").isalnum() for secret in secrets)


def test_a_name_tells_kinds_and_secrets_apart_and_tells_no_secret() -> None:
    names = {name_of(kind, secret) for kind in ("ticket", "cookie") for secret in ("a", "b", "")}
    assert len(names) == 6
    assert "secret" not in name_of("ticket", "secret")


def test_owners_are_told_apart_by_realm_and_user() -> None:
    assert len({owner_of(*who) for who in (("a", "b"), ("ab", ""), ("", "ab"), ("b", "a"), ("a", "c"))}) == 5
