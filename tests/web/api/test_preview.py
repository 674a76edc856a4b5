"""`POST …/count/preview`: checks in the order of the count's, the path of a bad node, and limits of its own."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema_rs import Draft202012Validator

from service.config.settings import ServiceSettings
from service.domain.tickets.ticket import TicketState
from service.store.ports.steps import Batch, TenantBatch, TicketWrite
from tests.fakes.memory_store import MemoryStore
from tests.web.auth import test_order_of_checks as order
from tests.web.auth.test_order_of_checks import LIMITS, Draft, Fault
from tests.web.world import COUNT, NOW_US, QUERY, TENANT, TICKETS, World, a_world

PREVIEW = f"{COUNT}/preview"
CRITICAL = {"field": "priority", "op": "eq", "value": "4195"}
EVERY_TICKET = {"field": "status", "op": "is_not_empty"}


async def store_tickets(world: World) -> None:
    """The world counts its tickets; here they are also stored, with a deleted one."""
    stored = await MemoryStore.tenant(world.store, TENANT)
    assert stored is not None
    writes = [TicketWrite(name, b"", TicketState(1, ticket, 0)) for name, ticket in TICKETS.items()]
    writes.append(TicketWrite("gone", b"", TicketState(1, None, 0)))
    batch = TenantBatch(TENANT, stored.record_version, stored.generation, writes, {})
    await world.store.apply(Batch(world.store.bucket(TENANT), "topic", {}, [batch], NOW_US - 500_000))


@pytest.fixture(name="world")
async def stored_world(world: World) -> World:
    await store_tickets(world)
    return world


async def post(
    world: World, where: object = CRITICAL, *, bearer: str | None = None, query: str = QUERY, **body: Any
) -> httpx.Response:
    return await world.client.post(f"{PREVIEW}?{query}", json={"where": where, **body}, headers=world.headers(bearer))


async def test_half_a_surrogate_pair_to_compare_with_is_refused_at_its_node(world: World) -> None:
    content = json.dumps({"where": {"all": [CRITICAL, {"field": "team", "op": "in", "value": ["a", "\ud83d"]}]}})
    headers = {**world.headers(), "content-type": "application/json"}
    answer = await world.client.post(f"{PREVIEW}?{QUERY}", content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == {"field": "where.all[1].value[1]"}
    assert "unpaired surrogate" in answer.json()["error"]["message"]


async def test_a_number_beyond_64_bits_may_be_compared_with(world: World) -> None:
    assert (await post(world, {"field": "fields.x", "op": "lt", "value": 10**30})).json()["data"]["count"] == 0


async def test_the_answer_is_the_count_and_when_it_was_computed(world: World) -> None:
    answer = await post(world)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "success": True,
        "message": "Ticket count previewed successfully",
        "data": {"count": 2, "computedAt": "2027-01-15T08:00:00.123Z"},
        "timestamp": "2027-01-15T08:00:00.123Z",
    }
    described = (await world.client.get("/openapi.json")).json()
    schema = described["components"]["schemas"]["PreviewAnswer"]
    Draft202012Validator({**schema, "components": described["components"]}).validate(answer.json())


@pytest.mark.parametrize(
    ("roles", "perspective", "count"),
    [
        (("ticket_admin",), "template", 5),
        (("ticket_admin",), "agent", 3),
        (("ticket_admin",), "user", 2),
        (("ticket_agent",), "template", 3),
        (("ticket_agent",), "user", 1),
        (("ticket_user",), "template", 2),
        (("ticket_user",), "user", 2),
    ],
)
async def test_role_and_perspective_narrow_it(
    world: World, roles: tuple[str, ...], perspective: str, count: int
) -> None:
    bearer = world.token("ann", *roles, teams=("support",))
    query = f"type={perspective}&module=ticketing"
    assert (await post(world, EVERY_TICKET, bearer=bearer, query=query)).json()["data"]["count"] == count
    saved = (await world.post(["all"], bearer=bearer, query=query)).json()["data"]["counts"]["all"]
    assert saved == count


async def test_the_profile_narrows_it_and_the_rest_of_the_counts_body_is_taken(world: World) -> None:
    answer = await post(
        world, EVERY_TICKET, templateProfileFilterId="urgent", timezone="Asia/Kathmandu", filterIds=["no"], other=1
    )
    assert answer.json()["data"]["count"] == 2
    assert (await post(world, EVERY_TICKET, templateProfileFilterId=None, timezone=None)).json()["data"]["count"] == 5
    for name in ("vip", "none"):
        answer = await post(world, templateProfileFilterId=name)
        assert (answer.status_code, answer.json()["error"]["details"]) == (422, {"invalidIds": [name]})
    bearer = world.token("bob", "ticket_agent")
    assert (await post(world, templateProfileFilterId="own", bearer=bearer)).status_code == 422
    assert (await post(world, templateProfileFilterId="own")).status_code == 200


@pytest.mark.parametrize(
    ("where", "field", "message"),
    [
        (
            {"all": [CRITICAL, CRITICAL, {**CRITICAL, "op": "older_than"}]},
            "where.all[2].op",
            "older_than doesn't apply to",
        ),
        ({"not": {"any": [{"field": "colour", "op": "eq"}]}}, "where.not.any[0].field", "unknown field 'colour'"),
        ({**CRITICAL, "value": ["@me"]}, "where.value", "expected a string"),
        ({"field": "dueAt", "op": "within", "value": "next_week"}, "where.value", "expected one of today"),
        ({"all": []}, "where", "only empty lists"),
        ([CRITICAL], "where", "expected an object"),
        (None, "where", "is missing"),
    ],
)
async def test_a_bad_condition_is_refused_with_the_path_of_its_node(
    world: World, where: object, field: str, message: str
) -> None:
    answer = await post(world, where)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["details"]) == (400, "INVALID_REQUEST", {"field": field})
    assert error["message"].startswith(message)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "where"),
        ({"where": CRITICAL, "timezone": "utc"}, "timezone"),
        ({"where": CRITICAL, "timezone": 1}, "timezone"),
        ({"where": CRITICAL, "templateProfileFilterId": ""}, "templateProfileFilterId"),
        ([], "body"),
    ],
)
async def test_the_rest_of_the_body_is_checked_as_the_counts(world: World, body: object, field: str) -> None:
    answer = await world.client.post(f"{PREVIEW}?{QUERY}", json=body, headers=world.headers())
    assert (answer.status_code, answer.json()["error"]["details"]) == (400, {"field": field})


async def test_a_deep_body_is_a_bad_request(world: World) -> None:
    deep = b'{"where": ' + b'{"not": ' * 20_000 + b"1" + b"}" * 20_001
    headers = world.headers() | {"content-type": "application/json"}
    answer = await world.client.post(f"{PREVIEW}?{QUERY}", content=deep, headers=headers)
    assert answer.status_code == 400


async def test_time_is_judged_at_computed_at_in_the_viewers_zone(world: World) -> None:
    today = {"field": "createdAt", "op": "within", "value": "today"}
    world.clock.now = 3_600_000_000  # the tickets were made an hour ago, at the epoch
    bearer = world.token(exp=10_000)
    counts = {}
    for zone in ("UTC", "Asia/Kathmandu", "America/New_York", "Atlantic/Azores", "Pacific/Apia"):
        counts[zone] = (await post(world, today, bearer=bearer, timezone=zone)).json()["data"]["count"]
    assert counts == {"UTC": 5, "Asia/Kathmandu": 5, "America/New_York": 5, "Atlantic/Azores": 0, "Pacific/Apia": 5}


async def test_a_loading_tenant_is_warming(world: World) -> None:
    record = await world.record()
    settings = msgspec.structs.replace(record.entries.settings, loading=True)
    entries = msgspec.structs.replace(record.entries, settings=settings)
    await world.put_tenant(msgspec.structs.replace(record, entries=entries))
    answer = await post(world)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "COUNTS_WARMING")
    assert (await post(world, templateProfileFilterId="none")).status_code == 422


async def test_without_the_store_counts_are_unavailable(world: World) -> None:
    assert (await post(world)).status_code == 200
    world.store.away = True
    answer = await post(world)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "COUNTS_UNAVAILABLE")


# -- limits -----------------------------------------------------------------------------------------------------------


async def test_a_credential_has_a_rate_of_its_own_for_previews() -> None:
    world = await a_world(preview_requests_per_min=2)
    assert [(await post(world, bearer=world.token(jti=str(n)))).status_code for n in range(2)] == [200, 200]
    limited = await world.client.post(PREVIEW, content=b"no body", headers=world.headers())
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "30")
    assert (await post(world, bearer=world.token("bob"))).status_code == 200
    assert (await world.post(["all"])).status_code == 200
    world.clock.now += 30_000_000
    assert (await post(world)).status_code == 200


async def test_workers_share_a_users_rate_and_that_of_their_tenant() -> None:
    world = await a_world(preview_requests_per_min=2)
    other = World(ServiceSettings(preview_requests_per_min=2), world.clock, world.store)
    assert [(await post(one)).status_code for one in (world, other, world, other)] == [200, 200, 429, 429]
    users = [world.token(f"u{n}") for n in range(12)]
    asked = [(await post(world, bearer=user)).status_code for user in users for _ in range(2)]
    assert asked == [200] * 18 + [429] * 6, "twenty a minute for all of the tenant"
    assert (await post(world, bearer=world.token("new"))).status_code == 429


async def test_too_many_tickets_are_said_to_be_too_many() -> None:
    world = await a_world(preview_tickets=5)
    await store_tickets(world)
    answer = await post(world)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (503, "COUNTS_UNAVAILABLE")
    assert error["message"].startswith("More than 5 tickets are too many")
    assert int(answer.headers["retry-after"]) > 0


async def test_after_the_deadline_counts_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await a_world(preview_deadline_s=0.1)

    async def never(*arguments: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(world.store, "ticket_states", never)
    answer = await post(world)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "COUNTS_UNAVAILABLE")
    assert "longer than 0.1 s" in answer.json()["error"]["message"]
    assert int(answer.headers["retry-after"]) > 0


# -- the order of checks ----------------------------------------------------------------------------------------------


@dataclass
class PreviewDraft(Draft):
    """The same request for a preview."""

    path: str = PREVIEW
    body: bytes = json.dumps({"where": CRITICAL}).encode()


def bad_where(draft: Draft) -> None:
    if len(draft.body) < 1_000:
        draft.body = b'{"where": {"all": [1]}}'


def unknown_profile(draft: Draft) -> None:
    draft.body = json.dumps({"where": CRITICAL, "templateProfileFilterId": "none"}).encode()


OTHERS = {"bad_body": bad_where, "unknown_filter": unknown_profile}
ROWS: list[tuple[Fault, int, str]] = [
    (OTHERS.get(fault.__name__, fault), status, code) for fault, status, code in order.ROWS
]


@pytest.mark.parametrize("first", range(len(ROWS)), ids=[row[0].__name__ for row in ROWS])
async def test_the_first_fault_in_the_contracts_order_decides(first: int) -> None:
    world = await a_world(**LIMITS)
    draft = PreviewDraft(world)
    for fault, _, _ in reversed(ROWS[first:]):
        fault(draft)
    _, status, code = ROWS[first]
    answer = await draft.send()
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_request_without_faults_passes() -> None:
    world = await a_world(**LIMITS)
    answer = await PreviewDraft(world).send()
    assert (answer.status_code, answer.json()["data"]["count"]) == (200, 0)
