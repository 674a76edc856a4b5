"""A tenant with as much as it may have: its work is done in slices, grows with its size only, and is forgotten in time.

Nothing here is measured in seconds: with slices of no length every step hands the loop over, and calls are counted.
"""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from consumers.engine import tenants
from service import turns
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants import view
from service.domain.tenants.view import CountRequest, TenantView
from service.lru import Lru
from service.queries.counts import CountQueries
from tests.consumers.small_world import ADMIN, NOW_US, TENANT, SmallWorld, filter_entry, log_of, tenant_entry, told
from tests.support.pipeline import SetClock
from tests.support.turns import turns_of_others

MANY = 150


def wide_filter(number: int) -> dict[str, Any]:
    """One that asks about the viewer, the state, a list and a day."""
    viewer = [{"field": "assignee", "op": "eq", "value": "@me"}, {"field": "team", "op": "in", "value": ["@my_teams"]}]
    where = {
        "all": [
            {"field": "state", "op": "eq", "value": "open"},
            {"field": "category", "op": "in", "value": [f"c{number}", "x"]},
            {"any": [*viewer, {"field": "dueAt", "op": "within", "value": "today"}]},
        ]
    }
    return filter_entry(f"f{number}", where)


def statuses(count: int) -> list[dict[str, Any]]:
    return [{"id": f"s{n}", "name": f"S {n}", "closed": n % 7 == 0} for n in range(count)]


async def test_no_work_for_a_large_tenant_holds_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SLICE_S", 0.0)
    world = SmallWorld(tenant_entry())
    consumer = await world.consumer()
    events = log_of(*(told(1, f"T{n}", category=f"c{n}") for n in range(MANY)))
    for number in range(MANY):
        world.topic.publish(wide_filter(number))
    adopting, _ = await turns_of_others(consumer.catch_up())
    assert adopting > 2 * MANY, "an edit is worked out filter by filter"
    await consumer.backfill()
    compiling, _ = await turns_of_others(consumer.tenants.synchronize(TENANT))
    assert compiling > 2 * MANY, "columns are compiled one by one"
    applying, _ = await turns_of_others(consumer.consume(events))
    assert applying > MANY, "tickets are judged one by one"
    world.topic.publish(wide_filter(MANY))
    await consumer.catch_up()
    sweeping, _ = await turns_of_others(consumer.backfill())
    assert sweeping > MANY, "a backfill asks tickets one by one"
    reading = CountQueries(world.store, SetClock(NOW_US))
    wanted = CountRequest(ADMIN, Perspective.TEMPLATE, tuple(f"f{n}" for n in range(MANY)))
    answering, answer = await turns_of_others(reading.answer(TENANT, "r", wanted))
    assert answering > 2 * MANY, "a view is compiled, and a plan made, filter by filter"
    assert answer.counts["f7"] == 0


class Calls:
    """How many calls of Python functions were made."""

    made = 0


@contextmanager
def counted_calls() -> Iterator[Calls]:
    calls = Calls()

    def profile(frame: object, event: str, argument: object) -> None:
        calls.made += event == "call"

    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(None)


async def calls_with(count: int, work: Callable[[SmallWorld], Awaitable[Callable[[], object]]]) -> int:
    """Calls that a piece of work makes for a tenant with so many statuses."""
    world = SmallWorld(tenant_entry(statuses=statuses(count)))
    todo = await work(world)
    with counted_calls() as calls:
        todo()
    return calls.made


async def listing(world: SmallWorld) -> Callable[[], object]:
    await world.consumer()
    stored = await world.store.tenant(TENANT)
    assert stored is not None
    seen = TenantView(stored.record)
    return lambda: seen.listing(ADMIN, Perspective.TEMPLATE)


async def judging(world: SmallWorld) -> Callable[[], object]:
    consumer = await world.consumer()
    compiled = await consumer.tenants.synchronize(TENANT)
    assert compiled is not None
    await consumer.consume(log_of(told(1, status="s1")))
    ticket = world.store._tenants[TENANT].tickets["T1"].ticket_state
    assert ticket is not None
    assert ticket.ticket is not None
    fresh = [told_status(ticket.ticket, f"s{n}") for n in range(2, 12)]
    return lambda: [compiled.columns.counted(one, NOW_US) for one in fresh]


def told_status(ticket: Any, status: str) -> Any:
    return type(ticket)(status, ticket.created_at)


@pytest.mark.parametrize("work", [listing, judging])
async def test_ten_times_as_many_statuses_cost_at_most_some_ten_times_as_much(
    work: Callable[[SmallWorld], Awaitable[Callable[[], object]]],
) -> None:
    few, many = await calls_with(50, work), await calls_with(500, work)
    assert many < 15 * few


async def test_a_new_status_in_a_ticket_costs_the_same_however_many_there_are() -> None:
    assert await calls_with(500, judging) < 2 * await calls_with(50, judging)


async def test_compiled_tenants_stay_within_their_bytes_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenants, "COMPILED_BYTES", 60_000)
    names = [f"t{n}" for n in range(12)]
    world = SmallWorld(*(tenant_entry(name) for name in names))
    consumer = await world.consumer()
    for sequence in (1, 2):
        await consumer.consume(log_of(*(told(sequence, tenant=name) for name in names)))
        assert 0 < len(consumer.tenants._compiled) < len(names)
        assert consumer.tenants._compiled.weight <= 60_000
    for name in names:
        assert await world.counts("all", tenant=name) == (1,)


async def test_plans_of_all_tenants_together_stay_within_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: Lru[Any, Any] = Lru(400_000, lambda planned: planned.weight)
    monkeypatch.setattr(view, "_plans", plans)
    world = SmallWorld(tenant_entry(), *(wide_filter(n) for n in range(30)))
    consumer = await world.consumer()
    await consumer.consume(log_of(told(1, category="c3", dueAt="2026-11-21T12:00:00Z")))
    reading = CountQueries(world.store, SetClock(NOW_US))
    ids = tuple(f"f{n}" for n in range(30))
    for number in range(100):
        viewer = Viewer(f"u{number}", Role.AGENT, frozenset(f"t{n}" for n in range(20)))
        await reading.answer(TENANT, "r", CountRequest(viewer, Perspective.TEMPLATE, ids))
        assert plans.weight <= 400_000
    assert 0 < len(plans) < 100
