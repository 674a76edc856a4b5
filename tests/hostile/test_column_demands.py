"""One user asks for every profile with every filter, or in every time zone: only that user is told to wait."""

from collections import Counter
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service import timezones
from service.domain.catalogue.catalogue import Filter, Profile
from service.domain.conditions.condition import AllOf, Leaf
from service.domain.tenants.record import adopted, backfill_for, backfilled
from service.store.ports.catalogue import StoredTenant
from tests.hostile.attacker import attacked, attacker
from tests.hostile.neighbour import COUNT, beside, neighbour, neighbour_of
from tests.journeys.programs import sending
from tests.journeys.programs.asking import Question, admin, realm
from tests.journeys.programs.catalogue_lines import event, saved_filter, tenant
from tests.journeys.programs.system import System, running_system
from tests.oracle.published.catalogue import Viewer
from tests.servers.kafka.topics import Topics
from tests.servers.redis.redis_server import RedisServer
from tests.service.process.serving import ASKED, Serving, headers_of, serving
from tests.support.waiting import wait_until

SIDE = 60
TODAY = AllOf((Leaf("createdAt", "within", "today"), Leaf("dueAt", "within", "today")))

CALM = "calm"
"""The neighbour's tenant, where events are counted."""

TICKETS = 3_000

WAITS = 100

PER_DAY = 600
"""The default of `new_pairs_per_user_per_day`."""

AT_ONCE = 50
"""A request for what isn't filled yet is answered after two seconds."""

TOLD_TO_WAIT = {"503 COUNTS_WARMING", "429 RATE_LIMITED"}


@pytest.fixture
async def service(redis_process: RedisServer, tmp_path: Path) -> AsyncIterator[Serving]:
    """One whose tenant has 60 filters, 60 profiles, and a filter that looks at the days of two fields."""
    async with serving(redis_process.url, tmp_path, CREDENTIAL_REQUESTS_PER_MIN=0) as running:
        await enlarge(running)
        yield running


async def enlarge(service: Serving) -> None:
    stored = await service.store.tenant("acme")
    assert stored is not None
    filters = {f"f{n}": Filter(f"f{n}", "F", "custom", Leaf("category", "eq", f"c{n}")) for n in range(SIDE)}
    profiles = {f"p{n}": Profile(f"p{n}", "P", Leaf("priority", "ne", f"c{n}")) for n in range(SIDE)}
    entries = msgspec.structs.replace(
        stored.record.entries, filters=filters | {"both": Filter("both", "B", "custom", TODAY)}, profiles=profiles
    )
    edited = adopted(stored.record, entries, 30)
    backfill = backfill_for(edited)
    assert backfill is not None
    assert await service.store.put_tenant(
        "acme", stored.record_version, StoredTenant("t2", "g1", backfilled(edited, backfill))
    )


def demands(headers: dict[str, str], **body: Any) -> dict[str, Any]:
    """A request of `attacks.requests`."""
    params = {"type": ASKED["type"], "module": ASKED["module"]}
    return {"method": "POST", "url": COUNT, "params": params, "json": body, "headers": headers}


def pairs(headers: dict[str, str]) -> list[dict[str, Any]]:
    numbers = range(SIDE)
    return [demands(headers, filterIds=[f"f{n}"], templateProfileFilterId=f"p{m}") for m in numbers for n in numbers]


async def answer_to(service: Serving, user: str, role: str, **body: Any) -> tuple[int, str]:
    answer = await service.client.request(**demands(headers_of(user, role), **body))
    return answer.status_code, answer.json().get("error", {}).get("code", "")


@pytest.mark.timeout(600)
async def test_a_user_who_crosses_all_profiles_with_all_filters_gets_429_and_no_more_columns(service: Serving) -> None:
    mallory = pairs(headers_of("mallory", "ticket_user"))
    async with neighbour(service) as other:
        for answers in await attacked(other, "requests", service.url, requests=mallory, at_once=AT_ONCE):
            assert set(answers) == TOLD_TO_WAIT
    assert len(await service.store.demands("acme")) <= PER_DAY + 60
    refused = await service.client.request(**mallory[-1])
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert await answer_to(service, "ann", "ticket_admin", filterIds=["f7"]) == (200, ""), "what is counted already"
    ann = await answer_to(service, "ann", "ticket_admin", filterIds=["f1"], templateProfileFilterId="p59")
    assert ann == (503, "COUNTS_WARMING"), "another user has their own budget"


@pytest.mark.timeout(600)
async def test_a_user_who_asks_in_every_zone_leaves_room_for_others_and_nobody_s_id_is_called_invalid(
    service: Serving,
) -> None:
    headers = headers_of("mallory", "ticket_user")
    zones = [demands(headers, filterIds=["both"], timezone=zone) for zone in sorted(timezones.names())]
    async with neighbour(service) as other:
        for answers in await attacked(other, "requests", service.url, requests=zones, at_once=AT_ONCE):
            assert set(answers) == TOLD_TO_WAIT
    assert len(await service.store.demands("acme")) <= 100
    ann = await answer_to(service, "ann", "ticket_admin", filterIds=["both"], timezone="Asia/Tokyo")
    assert ann == (503, "COUNTS_WARMING"), "an admin's question is taken"


@pytest.fixture
async def system(kafka: str, redis_db: str, topics: Topics, tmp_path: Path) -> AsyncIterator[System]:
    async with running_system(kafka, redis_db, topics, tmp_path, CREDENTIAL_REQUESTS_PER_MIN=0) as running:
        await running.start()
        numbers = range(SIDE)
        await running.publish(
            realm("helpdesk"),
            tenant("acme"),
            tenant(CALM),
            *(saved_filter("acme", f"f{n}", {"field": "category", "op": "eq", "value": f"c{n}"}) for n in numbers),
            *(profile(f"p{n}", {"field": "priority", "op": "ne", "value": f"c{n}"}) for n in numbers),
            *(event("acme", f"T{n}", 1, category=f"c{n % SIDE}") for n in range(TICKETS)),
        )
        await running.settled("acme", within_s=60)
        yield running
        await running.stop()


def profile(name: str, where: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "profile", "value": {"id": name, "tenant": "acme", "name": name, "where": where}}


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
async def test_the_events_of_another_tenant_are_counted_while_a_user_crosses_profiles_with_filters(
    system: System,
) -> None:
    """Each new pair has the consumers go over all tickets: unbounded, events waited for seconds, for minutes."""
    numbers = count(1)
    mallory = system.ask.headers("acme", Viewer(frozenset({"ticket_user"}), "mallory"))
    assert system.service is not None

    async with (
        sending.opened(system.kafka) as producer,
        attacker("requests", system.service.address, requests=pairs(mallory), at_once=AT_ONCE) as crossing,
    ):

        async def counted() -> None:
            number = next(numbers)
            line = msgspec.json.encode(event(CALM, f"C{number}", 1))
            await producer.send_and_wait(system.topics.events, line, key=f"{CALM}/C{number}".encode())

            async def is_counted() -> bool:
                return (await system.ask.count(Question(CALM, admin()))).counts["all"] == number

            await wait_until(is_counted, 30, f"event {number} to be counted")

        async with neighbour_of(counted) as other:
            rounds = await beside(other, lambda: crossing.rounds(other), WAITS)
    answers = sum(map(Counter, rounds), Counter[str]())
    print(f"mallory: {dict(answers)}")
    assert answers["429 RATE_LIMITED"] > 0
    assert set(answers) <= {"200", *TOLD_TO_WAIT}
    assert SIDE * SIDE - rounds[0]["429 RATE_LIMITED"] <= PER_DAY + 60, "each pair is asked for once a round"
