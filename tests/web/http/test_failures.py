"""What a caller sees when something behind the HTTP room fails, and what is logged."""

import gc
import json
import logging
import weakref
from collections.abc import Iterable

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from service.domain.tenants.record import new_record
from service.domain.tenants.tenant_entries import SUMMARY, ColumnDemand, with_demands
from service.domain.tickets.ticket import Instant
from service.store.ports.errors import StoreUnable
from service.store.ports.reading import CountQuery, Snapshot
from service.web.http.replies import Reply
from tests.web.world import COUNT, FILTERS, QUERY, World


@pytest.mark.parametrize("warm", [False, True])
async def test_a_store_that_is_away_is_said_and_nothing_of_it(world: World, warm: bool) -> None:
    if warm:
        assert (await world.post()).status_code == 200
    world.store.away = True
    for answer in (await world.post(), await world.get()):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "COUNTS_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0
        assert "secret" not in answer.text
    listed = await world.client.get(f"{FILTERS}?{QUERY}", headers=world.headers())
    assert listed.status_code == 503
    world.store.away = False
    assert (await world.post()).status_code == 200


@pytest.mark.parametrize("counted", [True, False])
async def test_a_note_that_the_store_refuses_takes_no_answer_away(
    world: World, monkeypatch: pytest.MonkeyPatch, counted: bool
) -> None:
    tried: list[str] = []

    async def full(tenant: str, demands: Iterable[ColumnDemand], now: Instant, *, missing: bool) -> None:
        tried.extend(profile for profile, *_ in demands)
        raise StoreUnable("OOM command not allowed")

    if counted:
        entries = (await world.record()).entries
        await world.put_tenant(new_record(with_demands(entries, [("urgent", "all"), ("urgent", SUMMARY)], ()), 19))
    asked = {"templateProfileFilterId": "urgent"}
    expected = await world.post(**asked)
    assert expected.is_success == counted
    monkeypatch.setattr(world.store, "note_demands", full)
    world.clock.now += 3_600_000_000  # noted again by now
    token = world.token(exp=world.clock.now // 1_000_000 + 600)
    for _ in range(3):
        answer = await world.post(bearer=token, **asked)
        assert (answer.status_code, counts_or_code(answer)) == (expected.status_code, counts_or_code(expected))
    assert set(tried) == {"urgent"}, "what is noted is about what was asked"


def counts_or_code(answer: httpx.Response) -> object:
    said = answer.json()
    return said["data"]["counts"] if answer.is_success else said["error"]["code"]


async def test_an_unexpected_error_is_logged_whole_and_answered_without_a_word(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.store.broken = True
    with caplog.at_level(logging.ERROR):
        answer = await world.post()
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.text
    assert "ValueError" not in answer.text
    world.store.broken = False
    assert (await world.post()).status_code == 200


async def test_a_response_that_fails_before_it_starts_is_answered_in_the_envelope_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Reply, scope: Scope, receive: Receive, send: Send) -> None:
        monkeypatch.undo()
        raise ValueError("secret inside")

    monkeypatch.setattr(Reply, "__call__", broken)
    transport = httpx.ASGITransport(world.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://counts") as client:
        answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.text


async def test_a_catalogue_that_never_rests_is_unavailable_rather_than_endless(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def always_stale(query: CountQuery) -> Snapshot | None:
        nonlocal asked
        asked += 1
        return None

    monkeypatch.setattr(world.store, "snapshot", always_stale)
    answer = await world.post()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "COUNTS_UNAVAILABLE")
    assert 1 < asked < 20


async def test_a_line_for_each_request_with_who_and_what_but_no_secret(world: World) -> None:
    headers = world.headers() | {"issupportrequest": "true"}
    await world.client.get(f"{COUNT}?{QUERY}&filterIds=all&ticket=hidden", headers=headers)
    await world.client.get("/healthz?ticket=hidden")
    await world.post(["nope"], bearer="x.y.z")
    assert not any("hidden" in line or "x.y.z" in line or "eyJ" in line for line in world.lines)
    good, health, refused = (json.loads(line) for line in world.lines)
    assert good.pop("duration_ms") >= 0
    assert good == {
        "event": "request",
        "method": "GET",
        "path": COUNT,
        "status": 200,
        "address": "127.0.0.1",
        "tenant": "acme",
        "realm": "helpdesk",
        "user": "ann",
        "issupportrequest": True,
        "logger": "service.access",
        "level": "info",
        "process": "service",
        "timestamp": "2027-01-15T08:00:00.123456Z",
    }
    assert (health["path"], health["status"]) == ("/healthz", 200)
    assert (refused["status"], refused["refused"]) == (401, "UNAUTHORIZED")
    assert "header" in refused["reason"]


async def test_a_path_cannot_forge_or_flood_the_log(world: World) -> None:
    await world.client.get("/%0a%22forged" + "x" * 5_000)
    (line,) = world.lines
    assert line.count("\n") == 1
    assert len(line) < 600


async def test_what_was_learned_is_not_asked_again(world: World) -> None:
    for _ in range(3):
        assert (await world.post()).status_code == 200
    assert world.store.reads == ["realm helpdesk", "tenant acme", "snapshot", "snapshot", "snapshot"]


async def test_refusals_are_confirmed_by_the_store(world: World) -> None:
    assert (await world.post()).status_code == 200
    world.store.reads.clear()
    assert (await world.post(["nope"])).status_code == 422
    assert world.store.reads == ["tenant acme"]


async def test_a_refused_request_is_freed_with_its_answer_and_not_at_the_next_collection(world: World) -> None:
    """Its query may be a megabyte: hundreds of them were kept."""

    class Held(dict[str, object]):
        """A scope that can be watched."""

    freed: list[weakref.ref[Held]] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        held = Held(scope)
        freed.append(weakref.ref(held))
        await world.app(held, receive, send)

    gc.collect()
    gc.disable()
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(watched), base_url="http://counts") as client:
            assert (await client.get(COUNT)).status_code == 401
        assert [scope() for scope in freed] == [None]
    finally:
        gc.enable()
