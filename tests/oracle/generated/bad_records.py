"""Random dead letters, each bad for one reason. Applied by mistake, each would change a count."""

import json
from collections.abc import Callable
from typing import Any

from tests.oracle.generated.choices import Choices
from tests.oracle.published.records import MAX_RECORD_BYTES, MAX_SEQUENCE, MERGE_PATCH, LogItem, Record

Json = dict[str, Any]


def good_event(tenant: str, ticket: str) -> Json:
    """Returns an event with the highest sequence, so that a test notices if it is applied."""
    data = {"status": "3745", "createdAt": "2026-11-01T00:00:00Z", "assignee": "agent-12"}
    return {
        "specversion": "1.0",
        "id": "e-bad",
        "source": "/helpdesk/eu",
        "type": "ticket.updated",
        "subject": ticket,
        "tenantid": tenant,
        "sequence": str(MAX_SEQUENCE),
        "data": data,
    }


# Each replaces one attribute of the event by a wrong one.
ATTRIBUTES: tuple[Json, ...] = (
    {"specversion": "0.3"}, {"specversion": None}, {"specversion": 1.0}, {"id": None}, {"id": ""}, {"source": None},
    {"type": None}, {"type": "ticket.reopened"}, {"type": "TICKET.UPDATED"}, {"subject": None}, {"subject": ""},
    {"subject": "a\nb"}, {"subject": "x" * 129}, {"subject": 45}, {"tenantid": None}, {"tenantid": "no such tenant"},
    {"tenantid": "unknown-tenant"}, {"tenantid": "x" * 65}, {"sequence": None}, {"sequence": "-1"}, {"sequence": -1},
    {"sequence": "1.5"}, {"sequence": 1.5}, {"sequence": "seven"}, {"sequence": ""}, {"sequence": True},
    {"sequence": MAX_SEQUENCE + 1}, {"sequence": str(MAX_SEQUENCE + 1)}, {"time": "yesterday"},
    {"time": "2026-11-21T10:15:00"}, {"time": "2026-02-30T10:15:00Z"}, {"time": 1_795_000_000},
    {"datacontenttype": "text/plain"}, {"datacontenttype": "application/xml"}, {"data": None}, {"data": []},
    {"data": "status"}, {"id": "e\ud83d"}, {"source": "\ude00/helpdesk"}, {"subject": "INC\ud83d"},
    {"time": "2026-11-21T10:15:00Z\ud83d"},
)  # fmt: skip
FIELDS: tuple[Json, ...] = (
    {"status": None}, {"status": ""}, {"status": 3747}, {"createdAt": None}, {"createdAt": ""},
    {"createdAt": "2026-11-21"}, {"createdAt": 0}, {"priority": 4196}, {"team": ["network"]}, {"assignee": True},
    {"assignee": "x" * 129}, {"requester": {}}, {"requester": "a\x00b"}, {"updatedAt": "soon"},
    {"dueAt": "2026-11-22T08:00:00"}, {"slaDueAt": 12.5}, {"slaBreached": "false"}, {"slaBreached": 0},
    {"closedAt": False}, {"tags": "vip"}, {"tags": [1]}, {"tags": [None]}, {"fields": []}, {"fields": "x"},
    {"status": "37\ud83d"}, {"assignee": "\ude00"}, {"team": "\ud83d\ud83d\ude00"}, {"dueAt": "\ud83d"},
)  # fmt: skip


def bad_record(choices: Choices, tenant: str, ticket: str) -> LogItem:
    """Returns one bad record, for a ticket that may exist."""
    return choices.pick(KINDS)(choices, good_event(tenant, ticket))


def with_bad_attribute(choices: Choices, event: Json) -> LogItem:
    changed = {**event, **choices.pick(ATTRIBUTES)}
    return {name: value for name, value in changed.items() if value is not None or choices.chance(50)}


def with_bad_field(choices: Choices, event: Json) -> LogItem:
    return {**event, "data": {**event["data"], **choices.pick(FIELDS)}}


def lost_patch(choices: Choices, event: Json) -> LogItem:
    """Returns a patch of a ticket that was never created."""
    return {**event, "subject": f"never {event['subject']}"[:128], "datacontenttype": MERGE_PATCH}


def with_other_key(choices: Choices, event: Json) -> LogItem:
    key = choices.pick((f"{event['tenantid']}/other", f"other/{event['subject']}", event["subject"], "\x00"))
    return Record(json.dumps(event).encode(), key.encode())


def broken_bytes(choices: Choices, event: Json) -> LogItem:
    whole = json.dumps(event).encode()
    cut, nan = whole[:-1], whole.replace(b'"agent-12"', b'"agent-12", "fields": {"a": NaN}')
    key = f"{event['tenantid']}/{event['subject']}".encode()
    return Record(choices.pick((b"", b"null", b"[]", b"\xff\xfe", cut, nan, b"[" + whole + b"]")), key)


def of_other_content(choices: Choices, event: Json) -> LogItem:
    header = choices.pick((b"application/cloudevents-batch+json", b"application/cloudevents+avro"))
    return Record(json.dumps(event).encode(), headers=(("content-type", header),))


def of_two_kinds(choices: Choices, event: Json) -> LogItem:
    """Returns a record in binary mode whose two content type headers disagree: whole ticket or patch."""
    types = ("application/json", MERGE_PATCH)
    one = choices.pick((0, 1))
    attributes = {f"ce_{name}": value for name, value in event.items() if name != "data"}
    headers = {**attributes, "content-type": types[one], "ce_datacontenttype": types[1 - one]}
    key = f"{event['tenantid']}/{event['subject']}".encode()
    return Record(
        json.dumps(event["data"]).encode(), key, tuple((name, text.encode()) for name, text in headers.items())
    )


def nameless_tombstone(choices: Choices, event: Json) -> LogItem:
    return Record(None, choices.pick((None, b"no slash", b"unknown-tenant/x", b"bad tenant/x")))


def too_large(tenant: str, ticket: str) -> Record:
    """Returns a record one byte over the limit. Not one of the random kinds: not every broker accepts it."""
    event = {**good_event(tenant, ticket), "padding": ""}
    event["padding"] = "x" * (MAX_RECORD_BYTES + 1 - len(json.dumps(event)))
    return Record(json.dumps(event).encode())


KINDS: tuple[Callable[[Choices, Json], LogItem], ...] = (
    *(with_bad_attribute,) * 10, *(with_bad_field,) * 8, *(lost_patch,) * 2, *(with_other_key,) * 2,
    *(broken_bytes,) * 3, of_other_content, of_two_kinds, nameless_tombstone,
)  # fmt: skip
