"""Who may have how many of the places for streams: nobody takes them all, whoever else there is."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config.settings import ServiceSettings
from service.web.push.stream_limiter import FEW, StreamLimiter, StreamOwner
from tests.web.push.streaming.streams import a_pushing_world

MOST = 4_000


def usual(most: int = MOST, **changes: int) -> StreamLimiter:
    """As a process has them by default."""
    defaults = ServiceSettings()
    limits = {
        "per_user": defaults.streams_per_user,
        "per_tenant": defaults.streams_per_tenant,
        "per_address": defaults.streams_per_address,
    }
    return StreamLimiter(most, **(limits | changes))


def whose(user: str, tenant: str = "acme") -> StreamOwner:
    return StreamOwner("helpdesk", user, "10.0.0.1", tenant)


def greedy(limiter: StreamLimiter, owner: StreamOwner) -> int:
    """Takes all that it may; how many."""
    taken = 0
    while limiter.acquire(owner):
        taken += 1
    return taken


def test_two_greedy_users_leave_room_for_others() -> None:
    limiter = usual()
    assert [greedy(limiter, whose(user, user)) for user in ("eve", "mallory", "oscar")] == [1_500, 1_250, 625]
    assert all(limiter.acquire(whose(f"user {number}", f"tenant {number}")) for number in range(400))


def test_greedy_users_of_one_tenant_leave_room_in_it_and_in_others() -> None:
    limiter = usual()
    assert [greedy(limiter, whose(user)) for user in ("eve", "mallory", "oscar")] == [1_500, 750, 375]
    assert all(limiter.acquire(whose(f"user {number}")) for number in range(300))
    assert greedy(limiter, whose("zoe", "globex")) > 500


def test_a_tenant_whose_users_have_few_each_leaves_room_for_other_tenants() -> None:
    limiter = usual()
    held = sum(limiter.acquire(whose(f"user {number // FEW}", "crowd")) for number in range(MOST))
    assert held == 3_000
    assert greedy(limiter, whose("ann", "acme")) == 500
    assert limiter.acquire(whose("bob", "globex"))


@pytest.mark.parametrize("most", [1, 3, FEW])
def test_who_has_few_may_have_the_last_place(most: int) -> None:
    limiter = usual(most)
    assert greedy(limiter, whose("ann")) == most


def test_without_limits_one_takes_all() -> None:
    limiter = usual(per_user=0, per_tenant=0)
    assert greedy(limiter, whose("a back end")) == MOST


def test_fixed_limits_hold_where_there_is_room() -> None:
    limiter = usual(per_user=12, per_tenant=40, per_address=45)
    assert [greedy(limiter, whose(user)) for user in ("ann", "bob", "cy", "di")] == [12, 12, FEW, 6]
    assert greedy(limiter, whose("ann", "globex")) == 0, "a user is one in all tenants"
    assert greedy(limiter, whose("zoe", "globex")) == 5, "of one address"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.booleans()), max_size=400))
def test_what_is_given_back_can_be_taken_again(story: list[tuple[str, str, bool]]) -> None:
    limiter, held = usual(100), Counter[StreamOwner]()
    for user, tenant, comes in story:
        owner = whose(user, tenant)
        if comes:
            held[owner] += limiter.acquire(owner)
        elif held[owner]:
            held[owner] -= 1
            limiter.release(owner)
        assert limiter.taken == held.total() <= 100
    for owner, count in held.items():
        for _ in range(count):
            limiter.release(owner)
    assert limiter.taken == 0
    assert not limiter._held
    assert greedy(limiter, whose("a", "x")) == 50


async def test_a_user_who_may_have_no_more_is_told_to_come_back_and_another_one_is_not() -> None:
    async with a_pushing_world(streams=30) as pushing:
        world = pushing.world
        mine, theirs = world.token("eve"), world.token("ann")
        for _ in range(15):
            assert (await (await pushing.open(bearer=mine)).next()).name == "snapshot"
        away = await (await pushing.open(bearer=mine)).rest()
        assert [(event.name, event.data["reason"]) for event in away] == [("bye", "overload")]
        assert (await (await pushing.open(bearer=theirs)).next()).name == "snapshot"
