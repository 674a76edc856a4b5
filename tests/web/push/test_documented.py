"""Streams are as the OpenAPI document says they are."""

from typing import Any

from jsonschema_rs import Draft202012Validator

from service.domain.tickets.ticket import Ticket
from tests.web.push.streaming.streams import STREAM, STREAM_TICKET, Pushing
from tests.web.world import QUERY, TENANT


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})


async def test_every_event_and_the_tickets_answer_are_as_the_document_says(pushing: Pushing) -> None:
    document = (await pushing.world.client.get("/openapi.json")).json()
    operations = document["paths"][STREAM]
    stated = operations["get"]["responses"]["200"]["content"]["text/event-stream"]
    described = stated["x-event-data"]
    assert described == operations["post"]["responses"]["200"]["content"]["text/event-stream"]["x-event-data"]
    newer = (await pushing.world.client.get("/openapi-3.2.json")).json()["paths"][STREAM]["get"]
    items = newer["responses"]["200"]["content"]["text/event-stream"]["itemSchema"]["oneOf"]
    assert stated["schema"]["contentSchema"]["items"]["oneOf"] == items
    told = {each["properties"]["event"]["const"]: each["properties"]["data"]["contentSchema"] for each in items}
    assert told == described
    stream = await pushing.open("all", "7472", "3745")
    await pushing.add(Ticket("3745", 0, team="support"))
    await stream.next()
    changed = await stream.next()
    again = await pushing.open("all", "7472", "3745", headers={"last-event-id": changed.id})
    pushing.lag(9_000)
    pushing.changed(TENANT)
    await again.next()
    await again.next()
    pushing.hub.drain()
    events = [event for one in (stream, again) for event in (await one.rest(), one)[1].sent]
    assert {event.name for _, event in events} == set(described)
    for _, event in events:
        validator(document, described[event.name]).validate(event.data)
    answer = await pushing.world.client.post(
        f"{STREAM_TICKET}?{QUERY}", json={"filterIds": ["all"]}, headers=pushing.world.headers()
    )
    schema = document["paths"][STREAM_TICKET]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    validator(document, schema).validate(answer.json())
