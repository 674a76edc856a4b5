"""Parses one record of the log into an event, or refuses it with a reason. Knows no ticket and no catalogue."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from tests.oracle.instants import parse_instant

MAX_RECORD_BYTES = 1024 * 1024
MAX_SEQUENCE = 2**63 - 1
MAX_ID_CHARACTERS = 128
TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")
HALF = re.compile("[\ud800-\udfff]")  # Half a surrogate pair.
LARGEST = 1.7976931348623157e308  # The largest double.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")  # Unicode's category Cc.
TYPES = ("ticket.created", "ticket.updated", "ticket.closed", "ticket.deleted")
ID_FIELDS = ("status", "priority", "category", "team", "assignee", "requester")
INSTANT_FIELDS = ("createdAt", "updatedAt", "dueAt", "slaDueAt", "closedAt")
MERGE_PATCH = "application/merge-patch+json"
STRUCTURED = "application/cloudevents+json"


class Refused(Exception):
    """This record can never be applied: it is a dead letter."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the log. Without `value` it is a tombstone."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """The event of a valid record. `sequence` is None only for a tombstone without one."""

    tenant: str
    ticket: str
    type: str
    sequence: int | None
    data: dict[str, Any] | None = None
    patch: bool = False


LogItem = Record | Mapping[str, Any]


def read(item: LogItem) -> Event:
    """Returns the event of a record, or of a structured CloudEvent as a dict. Raises Refused."""
    if not isinstance(item, Record):
        return event(item)
    if item.value is None:
        return tombstone(item)
    if len(item.value) > MAX_RECORD_BYTES:
        raise Refused("over 1 MiB")
    found = event(attributes(item))
    if item.key is not None and item.key != f"{found.tenant}/{found.ticket}".encode():
        raise Refused("the key says otherwise than tenantid and subject")
    return found


def attributes(record: Record) -> dict[str, Any]:
    """Returns the CloudEvent of a record with a value, in structured form for both content modes."""
    headers = texts(record)
    content_type, said = headers.get("content-type", ""), headers.get("ce_datacontenttype", "")
    binary = any(name.startswith("ce_") for name in headers) and not content_type.startswith(STRUCTURED)
    if binary:
        cloud_event: dict[str, Any] = {n.removeprefix("ce_"): v for n, v in headers.items() if n.startswith("ce_")}
        if content_type and said and media_type(content_type) != media_type(said):
            raise Refused("content-type and ce_datacontenttype differ")
        cloud_event["datacontenttype"] = content_type or said or None
        cloud_event["data"] = parse_json(record.value) if record.value else None
        return cloud_event
    if content_type and media_type(content_type) != STRUCTURED:
        raise Refused("the content type is no structured CloudEvent")
    whole = parse_json(record.value or b"")
    if not isinstance(whole, dict):
        raise Refused("not a JSON object")
    if said and is_merge_patch(said) is not is_merge_patch(whole.get("datacontenttype")):
        raise Refused("ce_datacontenttype says otherwise than the event")
    return whole


def tombstone(record: Record) -> Event:
    """Returns the deletion of a tombstone. Its key names the ticket, or its headers if it has no key."""
    headers = texts(record)
    tenant, subject = headers.get("ce_tenantid"), headers.get("ce_subject")
    if record.key is not None:
        key_tenant, slash, key_subject = utf8(record.key).partition("/")
        if not slash or tenant not in (None, key_tenant) or subject not in (None, key_subject):
            raise Refused("a tombstone whose key names no ticket, or another one than its headers")
        tenant, subject = key_tenant, key_subject
    check_tenant(tenant)
    check_id("subject", subject)
    said = headers.get("ce_sequence")
    sequence = None if said is None else whole_number(said)
    return Event(str(tenant), str(subject), "ticket.deleted", sequence)


def event(cloud_event: Mapping[str, Any]) -> Event:
    """Returns the event of a structured CloudEvent. Raises Refused."""
    if cloud_event.get("specversion") != "1.0":
        raise Refused("specversion is missing or not 1.0")
    for name in ("id", "source"):
        if not isinstance(cloud_event.get(name), str) or not cloud_event[name]:
            raise Refused(f"{name} is missing or not a text")
        if HALF.search(cloud_event[name]):
            raise Refused(f"{name} has half a surrogate pair")
    if cloud_event.get("type") not in TYPES:
        raise Refused("type is missing or unknown")
    check_tenant(cloud_event.get("tenantid"))
    check_id("subject", cloud_event.get("subject"))
    sequence = whole_number(cloud_event.get("sequence"))
    check_instant("time", cloud_event.get("time"))
    patch = is_merge_patch(cloud_event.get("datacontenttype"))
    deletes = cloud_event["type"] == "ticket.deleted"
    data = cloud_event.get("data")
    if data is not None or not deletes:
        check_data(data)
    if data is not None and not patch and not deletes:
        check_ticket(data)
    if data is not None:
        data = {name: as_read(value) if name in ("tags", "fields") else value for name, value in data.items()}
    return Event(cloud_event["tenantid"], cloud_event["subject"], cloud_event["type"], sequence, data, patch)


def check_data(data: Any) -> None:
    """Raises Refused unless every present field has its JSON type."""
    if not isinstance(data, dict):
        raise Refused("data is missing or not an object")
    for name in ID_FIELDS:
        if data.get(name) not in (None, ""):
            check_id(name, data[name])
    for name in INSTANT_FIELDS:
        check_instant(name, data.get(name))
    if not isinstance(data.get("slaBreached"), bool | None):
        raise Refused("slaBreached is no boolean")
    if not isinstance(data.get("fields"), dict | None):
        raise Refused("fields is no object")
    tags = data.get("tags")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise Refused("tags is no list of texts")


def check_ticket(data: Mapping[str, Any]) -> None:
    """Raises Refused unless the ticket has `status` and `createdAt`."""
    for name in ("status", "createdAt"):
        if data.get(name) in (None, ""):
            raise Refused(f"the ticket has no {name}")


def check_id(name: str, value: Any) -> None:
    """Raises Refused unless the value is a text of 1 to 128 characters without control characters."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_CHARACTERS:
        raise Refused(f"{name} is no text of 1 to {MAX_ID_CHARACTERS} characters")
    if HALF.search(value):
        raise Refused(f"{name} has half a surrogate pair")
    if CONTROL.search(value):
        raise Refused(f"{name} has a control character")


def check_tenant(value: Any) -> None:
    """Raises Refused unless the value is a tenant id."""
    if not isinstance(value, str) or TENANT.fullmatch(value) is None:
        raise Refused("tenantid is missing or no tenant id")


def check_instant(name: str, value: Any) -> None:
    """Raises Refused unless the value is null, an empty text, or an RFC 3339 text."""
    if value in (None, ""):
        return
    try:
        parse_instant(value)
    except (TypeError, ValueError) as error:
        raise Refused(f"{name} is no instant") from error


def whole_number(value: Any) -> int:
    """Returns a sequence from a JSON number or a text. Raises Refused."""
    if isinstance(value, str) and re.fullmatch("[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SEQUENCE:
        raise Refused("sequence is missing or no whole number from 0 to 2^63-1")
    return value


def is_merge_patch(content_type: Any) -> bool:
    """Whether the content type is a merge patch. JSON is the default; raises Refused for any other type."""
    if content_type is None:
        return False
    if isinstance(content_type, str) and media_type(content_type) in ("application/json", MERGE_PATCH):
        return media_type(content_type) == MERGE_PATCH
    raise Refused("datacontenttype is neither JSON nor a merge patch")


def media_type(content_type: str) -> str:
    """Returns the media type without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def parse_json(value: bytes | None) -> Any:
    """Parses JSON by RFC 8259: UTF-8, no NaN, no Infinity. Raises Refused."""
    try:
        return json.loads(utf8(value or b""), parse_int=whole_digits, parse_constant=refuse_constant)
    except (json.JSONDecodeError, RecursionError) as error:
        raise Refused("not JSON") from error


def as_read(value: Any) -> Any:
    """Returns a JSON value as it is stored: half surrogate pairs as U+FFFD, numbers beyond 64 bits as doubles."""
    if isinstance(value, str):
        return HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [as_read(one) for one in value]
    if isinstance(value, dict):
        return {as_read(name): as_read(one) for name, one in value.items()}
    if isinstance(value, bool) or not isinstance(value, int | float) or -(2**63) <= value < 2**64:
        return value
    return float(max(-LARGEST, min(LARGEST, value)))


def whole_digits(digits: str) -> int | float:
    return int(digits) if len(digits) < 1_000 else float(digits)  # Python's int() refuses more than 4,300.


def refuse_constant(name: str) -> NoReturn:
    raise Refused(f"{name} is not JSON")


def texts(record: Record) -> dict[str, str]:
    """Returns the headers as texts. Raises Refused."""
    return {name: utf8(value) for name, value in record.headers}


def utf8(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8") from error
