"""Offsets of the events topic tell how much all tenants change: nothing says them unless the installation wants it."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from service.domain.catalogue.catalogue import Admin, Credential
from service.web.form.api import PATH as FORM
from tests.web.push.streaming.streams import STREAM, STREAM_TICKET, Pushing, a_pushing_world
from tests.web.world import COUNT, FILTERS, QUERY, TENANT

OFFSETS = (7_777_771, 7_777_773)
"""Nothing else in the world has these numbers."""

GETS = (
    f"{COUNT}?{QUERY}&filterIds=all", f"{COUNT}?{QUERY}&filterIds=nope", f"{COUNT}?{QUERY}", f"{FILTERS}?{QUERY}",
    f"{STREAM}?{QUERY}&filterIds=nope", "/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/docs",
)  # fmt: skip

POSTS: tuple[tuple[str, dict[str, Any]], ...] = (
    (f"{COUNT}?{QUERY}", {"filterIds": ["all", "3745"]}),
    (f"{COUNT}?{QUERY}", {"filterIds": []}),
    (f"{COUNT}/preview?{QUERY}", {"where": {"field": "status", "op": "eq", "value": "3745"}}),
    (f"{STREAM_TICKET}?{QUERY}", {"filterIds": ["all"]}),
)


@pytest.fixture
async def far_on() -> AsyncIterator[Pushing]:
    """A world whose events topic is long."""
    async with a_pushing_world() as pushing:
        await reach(pushing)
        yield pushing


async def reach(pushing: Pushing) -> None:
    states = pushing.world.store._states[pushing.world.store.bucket(TENANT)]
    states.positions |= dict(enumerate(OFFSETS))
    secret = (hashlib.sha256(b"s").hexdigest(),)
    await pushing.world.store.put_credential("key", 1, Credential("key", secret, TENANT, Admin("1", "Ann", "ann")))


async def answers_of(pushing: Pushing) -> list[httpx.Response]:
    """One of each kind, errors and those while the store is away included."""
    client, headers = pushing.world.client, pushing.world.headers()
    form = {"action": "GetTicketCounts", "identifier": "key", "secret": "s"}
    found = [await client.get(f"{COUNT}?{QUERY}&filterIds=all", headers=headers)]
    known = headers | {"if-none-match": found[0].headers["etag"]}
    found.append(await client.get(f"{COUNT}?{QUERY}&filterIds=all", headers=known))
    for away in (False, True):
        pushing.world.store.away = away
        found += [await client.get(url, headers=headers) for url in GETS]
        found += [await client.post(url, json=body, headers=headers) for url, body in POSTS]
        found += [await client.post(FORM, data=form | more) for more in ({}, {"secret": "x"}, {"responsetype": "xml"})]
    pushing.world.store.away = False
    assert {200, 304, 400, 403, 422, 503} <= {answer.status_code for answer in found}
    return found


def is_said(text: str) -> bool:
    return any(str(offset) in text for offset in OFFSETS)


async def test_no_answer_header_or_stream_says_how_far_the_events_topic_is(far_on: Pushing) -> None:
    for answer in await answers_of(far_on):
        assert not is_said(f"{answer.headers} {answer.text}"), answer.url
        assert "x-counts-position" not in answer.headers
    stream = await far_on.open()
    first = await stream.next()
    assert first.name == "snapshot"
    assert not is_said(f"{stream.headers} {first}")


async def test_an_installation_that_wants_it_says_it_with_every_count() -> None:
    async with a_pushing_world(expose_positions=True) as pushing:
        await reach(pushing)
        said = [answer for answer in await answers_of(pushing) if is_said(f"{answer.headers}")]
        assert {answer.headers["x-counts-position"] for answer in said} == {f"0:{OFFSETS[0]},1:{OFFSETS[1]}"}
        assert len(said) == 6, "GET, 304, GET again, POST, the form API in JSON and XML"
