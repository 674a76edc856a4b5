"""Budgets and marks: what one holder takes is never another's, and a call does all that it names, or nothing."""

import asyncio

import pytest

from service.store.ports.budgets import Charge, Claim, Extension, Mark, Quota, Rate
from service.store.redis.store import RedisStore
from tests.servers.redis.redis_server import closing_client
from tests.store.contract import Store
from tests.support.waiting import wait_until

MINUTE_MS = 60_000
SLOW = Rate("pairs", burst=10, per_min=1)
TENANT_WIDE = Rate("tenant-pairs", burst=15, per_min=1)


async def test_a_full_bucket_is_spent_and_then_refilled_evenly(store: Store) -> None:
    assert await store.spend("acme", [Charge(SLOW, "ann", 10)]) == 0
    assert await store.spend("acme", [Charge(SLOW, "ann")]) == pytest.approx(60, abs=10)
    assert await store.spend("acme", [Charge(SLOW, "ann", 3)]) == pytest.approx(180, abs=10)


async def test_what_was_refused_is_not_spent(store: Store) -> None:
    assert await store.spend("acme", [Charge(SLOW, "ann", 6)]) == 0
    for _ in range(3):
        assert await store.spend("acme", [Charge(SLOW, "ann", 6)]) > 0
    assert await store.spend("acme", [Charge(SLOW, "ann", 4)]) == 0


async def test_holders_scopes_and_kinds_have_buckets_of_their_own(store: Store) -> None:
    spend = [("acme", SLOW, "ann"), ("acme", SLOW, "bob"), ("globex", SLOW, "ann"), ("acme", TENANT_WIDE, "ann")]
    assert [await store.spend(scope, [Charge(rate, holder, 10)]) for scope, rate, holder in spend] == [0] * 4
    # The same letters, cut otherwise.
    assert await store.spend("ac", [Charge(SLOW, "meann", 10)]) == 0


async def test_all_of_a_call_is_spent_or_nothing(store: Store) -> None:
    assert await store.spend("acme", [Charge(SLOW, "ann", 10), Charge(TENANT_WIDE, "", 10)]) == 0
    assert await store.spend("acme", [Charge(SLOW, "bob", 10), Charge(TENANT_WIDE, "", 10)]) > 0
    assert await store.spend("acme", [Charge(SLOW, "bob", 5), Charge(TENANT_WIDE, "", 5)]) == 0
    assert await store.spend("acme", [Charge(SLOW, "bob", 5)]) == 0, "the refused call took nothing of bob's"


async def test_more_than_a_full_bucket_costs_a_full_one(store: Store) -> None:
    assert await store.spend("acme", [Charge(SLOW, "ann", 500)]) == 0
    assert await store.spend("acme", [Charge(SLOW, "ann", 500)]) == pytest.approx(600, abs=10)


async def test_a_rate_of_nothing_is_no_limit(store: Store) -> None:
    assert await store.spend("acme", [Charge(Rate("free", 1, 0), "ann", 1_000)]) == 0
    assert await store.spend("acme", [Charge(Rate("free", 1, 0), "ann", 1_000)]) == 0
    assert await store.spend("acme", []) == 0


async def test_tokens_come_back(store: Store) -> None:
    fast = Rate("fast", burst=1, per_min=600)
    assert await store.spend("acme", [Charge(fast, "ann")]) == 0

    async def paid() -> bool:
        return await store.spend("acme", [Charge(fast, "ann")]) == 0

    await wait_until(paid, 10, "the bucket to be refilled")


async def test_many_at_once_spend_no_more_than_there_is(store: Store) -> None:
    waits = await asyncio.gather(*(store.spend("acme", [Charge(SLOW, "ann")]) for _ in range(30)))
    assert sum(wait == 0 for wait in waits) == 10


async def test_a_quota_holds_until_a_place_is_given_back(store: Store) -> None:
    mine, ours = Claim(Quota("user-streams", 2), "ann"), Claim(Quota("streams", 3), "")
    assert [await store.claim("acme", [mine, ours], name, MINUTE_MS) for name in "abc"] == [True, True, False]
    other = Claim(Quota("user-streams", 2), "bob")
    assert [await store.claim("acme", [other, ours], name, MINUTE_MS) for name in "de"] == [True, False]
    await store.release("acme", [mine, ours], "a")
    assert await store.claim("acme", [other, ours], "e", MINUTE_MS)
    assert not await store.claim("acme", [mine, ours], "f", MINUTE_MS), "the tenant's places are taken"


async def test_a_claim_is_renewed_and_counts_once(store: Store) -> None:
    mine = Claim(Quota("user-streams", 1), "ann")
    assert [await store.claim("acme", [mine], "a", MINUTE_MS) for _ in range(3)] == [True] * 3
    assert not await store.claim("acme", [mine], "b", MINUTE_MS)


async def test_a_claim_that_is_renewed_for_a_shorter_time_lasts_as_long_as_before(store: Store) -> None:
    mine, others = Claim(Quota("users", 1), "long"), Claim(Quota("users", 1), "short")
    assert await store.claim("acme", [mine], "a", MINUTE_MS)
    assert await store.claim("acme", [mine, others], "a", 30)

    async def over() -> bool:
        return await store.claim("acme", [others], "b", MINUTE_MS)

    await wait_until(over, 10, "the shorter time to be over")
    assert not await store.claim("acme", [mine], "b", MINUTE_MS)


async def test_a_claim_ends_with_its_time(store: Store) -> None:
    mine = Claim(Quota("user-streams", 1), "ann")
    assert await store.claim("acme", [mine], "a", 30)

    async def free() -> bool:
        return await store.claim("acme", [mine], "b", MINUTE_MS)

    await wait_until(free, 10, "the place to be free")


async def test_a_quota_of_nothing_is_no_limit(store: Store) -> None:
    free = [Claim(Quota("free", 0), "ann")]
    assert [await store.claim("acme", free, str(n), MINUTE_MS) for n in range(50)] == [True] * 50
    await store.release("acme", free, "1")


async def test_keys_leave_redis_by_themselves(redis_store: RedisStore, redis_db: str) -> None:
    holder = "ann" * 10_000
    await redis_store.spend("acme", [Charge(SLOW, holder)])
    await redis_store.claim("acme", [Claim(Quota("streams", 3), holder)], "a", 5)
    await redis_store.claim("acme", [Claim(Quota("streams", 3), holder)], "b", MINUTE_MS)
    with closing_client(redis_db) as client:
        keys = client.keys("tc:*:budget:*")
        assert len(keys) == 2
        assert all(0 < client.pttl(key) <= MINUTE_MS for key in keys)
        assert all(len(key) < 100 for key in keys)


OWN, WIDE = Mark("failed", "ann"), Mark("failed")


async def test_a_mark_holds_for_its_time_and_is_made_longer_up_to_the_most(store: Store) -> None:
    assert await store.marks_left("acme", [OWN, WIDE]) == [0.0, 0.0]
    await store.extend_marks("acme", [Extension(OWN, 40, 100), Extension(WIDE, 10, 100)])
    assert await store.marks_left("acme", [OWN, WIDE]) == pytest.approx([40, 10], abs=5)
    for _ in range(3):
        await store.extend_marks("acme", [Extension(OWN, 40, 100)])
    assert await store.marks_left("acme", [WIDE, OWN]) == pytest.approx([10, 100], abs=5)
    await store.extend_marks("acme", [Extension(OWN, 0, 20)])
    assert await store.marks_left("acme", [OWN]) == pytest.approx([20], abs=5)


async def test_a_mark_is_gone_by_itself_or_when_it_is_dropped(store: Store) -> None:
    await store.extend_marks("acme", [Extension(OWN, 0.03, 1), Extension(WIDE, 60, 60)])

    async def gone() -> bool:
        return await store.marks_left("acme", [OWN]) == [0.0]

    await wait_until(gone, 10, "the mark to be gone")
    await store.drop_mark("acme", WIDE)
    assert await store.marks_left("acme", [WIDE]) == [0.0]


async def test_marks_of_other_scopes_kinds_and_holders_are_others(store: Store) -> None:
    await store.extend_marks("acme", [Extension(OWN, 60, 60)])
    for scope, mark in (("globex", OWN), ("acme", WIDE), ("acme", Mark("proven", "ann")), ("acmeann", WIDE)):
        assert await store.marks_left(scope, [mark]) == [0.0]


async def test_many_at_once_extend_a_mark_by_all_they_say(store: Store) -> None:
    await asyncio.gather(*(store.extend_marks("acme", [Extension(OWN, 10, 1_000)]) for _ in range(20)))
    assert await store.marks_left("acme", [OWN]) == pytest.approx([200], abs=5)
