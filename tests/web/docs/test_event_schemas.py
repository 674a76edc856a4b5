"""The schemas of ticket events in `/asyncapi.json`, against events that are read and such that are dead letters."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema_rs import Draft202012Validator

from consumers.decoding.event_record import decode
from service.domain.tickets.event import PoisonEvent
from service.web.docs.asyncapi import asyncapi
from tests.consumers.records import DATA, MERGE_PATCH, TIMESTAMP_MS, Json, cloud_event
from tests.fuzz.records import ALTERED, binary
from tests.oracle.generated.bad_records import ATTRIBUTES, FIELDS, good_event
from tests.oracle.published.records import HALF

COMPONENTS = json.loads(json.dumps(asyncapi()))["components"]
MESSAGES = COMPONENTS["messages"]
STRUCTURED = ("ticket", "patch", "deletion")
BINARY = ("binaryTicket", "binaryPatch", "binaryDeletion")

SAMPLES = [
    cloud_event(),
    cloud_event(datacontenttype="Application/JSON; charset=utf-8", time=None),
    cloud_event(type="ticket.closed", sequence="007", data={**DATA, "dueAt": "", "team": "", "tags": None}),
    cloud_event(datacontenttype=MERGE_PATCH, data={"assignee": None, "fields": {"product": None}}),
    cloud_event(data=..., data_base64=base64.b64encode(json.dumps(DATA).encode()).decode()),
    cloud_event(type="ticket.deleted", data=...),
    cloud_event(type="ticket.deleted", data={"mergedInto": "other"}),
]

INEXPRESSIBLE: list[Json] = [{"tenantid": "unknown-tenant"}, {"sequence": str(2**63)}]
"""What the catalogue decides, and a number as text; halves of surrogate pairs aside, which no schema sees."""


def expressible(changes: list[Json]) -> list[Json]:
    """Those that a schema can tell from good ones."""
    return [
        each for each in changes if each not in INEXPRESSIBLE and not HALF.search(json.dumps(each, ensure_ascii=False))
    ]


def fitting(value: object, messages: tuple[str, ...], part: str = "payload") -> list[str]:
    """Which of these messages the value can be."""
    return [
        each
        for each in messages
        if Draft202012Validator({**MESSAGES[each][part], "components": COMPONENTS}, validate_formats=True).is_valid(
            value
        )
    ]


EVENTS = Draft202012Validator(
    {"anyOf": [MESSAGES[each]["payload"] for each in STRUCTURED], "components": COMPONENTS}, validate_formats=True
)


@pytest.mark.parametrize("event", SAMPLES)
def test_an_event_is_one_of_the_structured_messages(event: Json) -> None:
    decode(None, json.dumps(event).encode(), [], TIMESTAMP_MS)
    assert len(fitting(event, STRUCTURED)) == 1


@pytest.mark.parametrize("event", [each for each in SAMPLES if isinstance(each["sequence"], str) and each.get("time")])
def test_the_same_event_is_one_of_the_binary_messages(event: Json) -> None:
    record = binary(event)
    assert record is not None
    headers = {name: value.decode() for name, value in record.headers}
    kinds = [kind for kind in BINARY if fitting(headers, (kind,), "headers")]
    assert len(kinds) == 1
    if "data" in event:
        assert fitting(event["data"], (kinds[0],)) == kinds
    assert not fitting({**headers, "ce_sequence": "-1"}, BINARY, "headers")


@pytest.mark.parametrize("name", STRUCTURED)
def test_a_messages_example_is_read(name: str) -> None:
    (example,) = MESSAGES[name]["examples"]
    decode(None, json.dumps(example["payload"]).encode(), [], TIMESTAMP_MS)
    assert fitting(example["payload"], STRUCTURED) == [name]


@settings(suppress_health_check=list(HealthCheck))
@given(ALTERED)
def test_every_event_that_is_read_fits(event: Json) -> None:
    try:
        decode(None, json.dumps(event).encode(), [], TIMESTAMP_MS)
    except PoisonEvent:
        return
    assert EVENTS.is_valid(json.loads(HALF.sub("\ufffd", json.dumps(event, ensure_ascii=False))))


@pytest.mark.parametrize("changes", expressible([*ATTRIBUTES]))
def test_an_event_with_a_bad_attribute_fits_no_message(changes: Json) -> None:
    event: dict[str, Any] = good_event("acme", "INC1")
    assert EVENTS.is_valid(event)
    assert not EVENTS.is_valid({**event, **changes})


@pytest.mark.parametrize("changes", expressible([*FIELDS]))
@pytest.mark.parametrize("content_type", ["application/json", MERGE_PATCH])
def test_an_event_with_a_bad_member_fits_no_message(changes: Json, content_type: str) -> None:
    event = {**good_event("acme", "INC1"), "datacontenttype": content_type}
    assert EVENTS.is_valid(event)
    assert not EVENTS.is_valid({**event, "data": {**event["data"], **changes}})


def test_a_tombstone_is_a_null_with_any_attributes_or_none() -> None:
    assert fitting(None, ("tombstone",)) == ["tombstone"]
    assert fitting({}, ("tombstone",), "headers")
    assert fitting({"ce_sequence": "9"}, ("tombstone",), "headers")
    assert not fitting({"ce_sequence": "nine"}, ("tombstone",), "headers")
