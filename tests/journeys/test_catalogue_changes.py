"""The catalogue changes while tickets are there: filters come whole or not at all, bad entries change nothing."""

import asyncio
from typing import Any

import pytest
import redis

from tests.journeys.programs import topic_log
from tests.journeys.programs.asking import NotCounted, Question, Snapshot, admin, realm
from tests.journeys.programs.catalogue_lines import CLOSED, OPEN, WAITING, event, removal, saved_filter, tenant
from tests.journeys.programs.system import System
from tests.servers.redis.redis_server import closing_client
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("apache_kafka")

TICKETS = 3_000
"""So many that a backfill takes a dozen bites, and answers come in between."""

SOON_S = 10.0


@pytest.fixture
def system(shared_system: System) -> System:
    """One for the whole file: each test has a tenant of its own there."""
    return shared_system


async def test_a_new_filter_is_waited_for_until_every_ticket_is_in_it(system: System, acme: str) -> None:
    await with_tickets(system, acme)
    swept = system.consumers[0].metric("backfilled_tickets_total")
    await system.publish(saved_filter(acme, "f", {"field": "assignee", "op": "eq", "value": "agent-0"}))
    refusals = []
    while True:
        try:
            answer = await system.ask.all_of(acme, ("all", "f"))
            break
        except NotCounted as refusal:
            refusals.append(refusal.code)
    assert answer.counts == {"all": TICKETS, "f": TICKETS // 3}
    assert set(refusals) <= {"INVALID_FILTER_ID", "COUNTS_WARMING"}
    assert system.consumers[0].metric("backfilled_tickets_total") >= swept + TICKETS
    assert "f" in await system.ask.filters(acme)


async def test_an_edited_filter_counts_the_old_condition_until_the_new_one_is_whole(system: System, acme: str) -> None:
    await with_tickets(system, acme, saved_filter(acme, "f", {"field": "assignee", "op": "eq", "value": "agent-0"}))
    before = await system.settled(acme, ("f",))
    assert before.counts == {"f": TICKETS // 3}
    swept = system.consumers[0].metric("backfilled_tickets_total")
    await system.publish(saved_filter(acme, "f", {"field": "assignee", "op": "ne", "value": "agent-0"}))
    told: list[Snapshot] = [before]
    while told[-1].catalogue == before.catalogue:
        told.append(await system.ask.all_of(acme, ("f",)))
    assert {each.counts["f"] for each in told[:-1]} == {TICKETS // 3}
    assert told[-1].counts == {"f": TICKETS - TICKETS // 3}
    assert told[-1].catalogue == before.catalogue + 1
    assert system.consumers[0].metric("backfilled_tickets_total") >= swept + TICKETS


async def test_a_status_that_becomes_closed_moves_its_tickets_in_one_step(system: System, acme: str) -> None:
    await with_tickets(system, acme)
    before = await system.settled(acme)
    assert (before.summary["totalOpen"], before.summary["totalClosed"]) == (TICKETS - TICKETS // 4, TICKETS // 4)
    await system.publish(tenant(acme, closed=frozenset({WAITING, CLOSED})))
    told = [before]
    while told[-1].catalogue == before.catalogue:
        told.append(await system.ask.all_of(acme))
        assert told[-1].summary["totalOpen"] + told[-1].summary["totalClosed"] == TICKETS
    assert {each.summary["totalOpen"] for each in told[:-1]} == {before.summary["totalOpen"]}
    assert told[-1].summary["totalClosed"] == TICKETS // 2


async def test_refused_entries_point_at_the_node_and_the_last_good_one_stays(system: System, acme: str) -> None:
    await system.publish(realm("helpdesk"), tenant(acme), event(acme, "INC1", 1))
    good = {"field": "status", "op": "eq", "value": OPEN}
    await system.publish(saved_filter(acme, "f", good))
    bad: list[tuple[dict[str, Any], str]] = [
        (saved_filter(acme, "f", {"all": [good, {"field": "status", "op": "about", "value": 1}]}), "where.all[1]"),
        (saved_filter(acme, "f", {"any": [{"not": {"field": "team", "op": "eq"}}]}), "where.any[0].not"),
        (saved_filter(acme, "f", {"all": [good], "not": good}), "where"),
        (saved_filter(acme, "f", good, type="nonsense"), "type"),
        ({"kind": "tenant", "value": {**tenant(acme)["value"], "statuses": [{"id": OPEN}]}}, "statuses[0]"),
        ({"kind": "realm", "value": {"name": "helpdesk", "issuer": "x", "jwksUri": "https://id.example/k"}}, "jwksUri"),
    ]
    await system.publish(*(line for line, _ in bad))

    async def parked() -> bool:
        return await system.ends(system.topics.dead_letters) == {0: len(bad)}

    await wait_until(parked, SOON_S, "the dead letters")
    letters = await topic_log.read(system.kafka, system.topics.dead_letters)
    for (line, path), letter in zip(bad, letters, strict=True):
        headers = dict(letter.headers)
        assert headers["topic"] == system.topics.catalogue.encode()
        assert path in headers["reason"].decode(), line
    await system.publish(event(acme, "INC2", 1))
    answer = await system.settled(acme, ("all", "f"))
    assert answer.counts == {"all": 2, "f": 2}


async def test_a_removed_filter_is_unknown_and_its_return_is_filled_anew(system: System, acme: str) -> None:
    where = {"field": "assignee", "op": "eq", "value": "agent-0"}
    await with_tickets(system, acme, saved_filter(acme, "f", where))
    assert (await system.settled(acme, ("f",))).counts == {"f": TICKETS // 3}
    await system.publish(removal("filter", "f", acme))
    await refused(system, acme, "INVALID_FILTER_ID")
    await system.publish(event(acme, "INC0", 2, assignee="agent-1"), saved_filter(acme, "f", where))

    async def back() -> bool:
        snapshot = await system.asked(Question(acme, admin(), filter_ids=("f",)))
        return snapshot is not None and snapshot.counts == {"f": TICKETS // 3 - 1}

    await wait_until(back, SOON_S, "the filter to count all but one")


async def test_a_removed_tenant_leaves_nothing_in_redis(system: System, acme: str) -> None:
    name = "gone-tomorrow"
    await system.publish(realm("helpdesk"), tenant(acme), tenant(name), event(acme, "INC1", 1))
    await system.publish(saved_filter(name, "f", {"field": "assignee", "op": "is_empty"}))
    await system.publish_all(
        event(name, f"INC{n}", 1, assignee=f"agent-{n}", team="t", requester="r") for n in range(500)
    )
    assert (await system.settled(name)).counts == {"all": 500}
    assert await asyncio.to_thread(traces, system.redis, name)
    await system.publish(removal("tenant", name))

    async def unheard_of() -> bool:
        return not await asyncio.to_thread(traces, system.redis, name)

    await wait_until(unheard_of, SOON_S, "Redis to hold nothing of the tenant")
    with pytest.raises(NotCounted) as refusal:
        await system.ask.all_of(name)
    assert refusal.value.code == "TENANT_NOT_FOUND"
    assert (await system.settled(acme)).counts == {"all": 1}


async def with_tickets(system: System, acme: str, *entries: dict[str, Any]) -> None:
    """A tenant with many tickets, a third of them of agent-0, a quarter each waiting and closed; all are counted."""
    await system.publish(realm("helpdesk"), tenant(acme), *entries)
    statuses = (OPEN, OPEN, WAITING, CLOSED)
    await system.publish_all(
        event(acme, f"INC{n}", 1, assignee=f"agent-{n % 3}", status=statuses[n % 4]) for n in range(TICKETS)
    )
    await system.settled(acme)


async def refused(system: System, acme: str, code: str) -> None:
    """Returns once the filter `f` is refused so."""

    async def said() -> bool:
        try:
            await system.ask.all_of(acme, ("f",))
        except NotCounted as refusal:
            return refusal.code == code
        return False

    await wait_until(said, SOON_S, code)


def traces(url: str, name: str) -> list[bytes]:
    """The keys that are the tenant's by name, or have its name anywhere in them."""
    with closing_client(url) as client:
        keys: list[Any] = list(client.scan_iter())
        return [
            key for key in keys if name.encode() in key or any(name.encode() in part for part in parts(client, key))
        ]


def parts(client: redis.Redis, key: bytes) -> list[Any]:
    """All that a key holds."""
    kind = client.type(key)
    if kind == b"hash":
        return [part for pair in client.hgetall(key).items() for part in pair]
    if kind == b"set":
        return list(client.smembers(key))
    if kind == b"zset":
        return list(client.zrange(key, 0, -1))
    assert kind in (b"string", b"none"), kind
    return [client.get(key) or b""]
