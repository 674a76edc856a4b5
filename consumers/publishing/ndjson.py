"""Turns a line of NDJSON into the record to publish. Pure: no I/O. Leaves all further checks to the consumers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from consumers.decoding.cloudevent import EXACT_EVENT
from consumers.kafka.topics import EVENTS_MAX_MESSAGE_BYTES
from service.domain.catalogue.entries import EXACT_IN
from service.domain.catalogue.entry_key import EntryKind
from service.domain.json_reading import EXACT, Exact, UnpairedSurrogate, read_json

EVENT_HEADERS = (("content-type", b"application/cloudevents+json"),)
"""The header that marks a value as a whole event (CloudEvents Kafka binding 1.0 §3.3)."""

MAX_LINE_BYTES = EVENTS_MAX_MESSAGE_BYTES - 65_536
"""Longest line: the topics' largest batch minus the largest key, headers and framing."""

KINDS = ("realm", "tenant", "filter", "profile", "credential")

OWNED_BY_TENANT = ("filter", "profile")
"""Kinds whose key includes the tenant, because their ids are unique only within a tenant."""

ID_MEMBER = {"realm": "name", "credential": "identifier"}
"""The member that holds an entry's id, for kinds that don't call it `id`."""


class BadLine(ValueError):
    """The line is not a record: correct it. The message describes the fault, but not its place."""


class Record(NamedTuple):
    """One record to publish. `value` None removes a catalogue entry or deletes a ticket."""

    is_event: bool
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] | None = None
    """None: the headers of a whole event (EVENT_HEADERS), or no headers for a catalogue entry."""
    timestamp_ms: int | None = None
    """None: now."""


class _PublishedLine(msgspec.Struct):
    """The members that decide what a line is. Ignores all others."""

    specversion: Any = msgspec.UNSET
    tenantid: Any = None
    subject: Any = None
    kind: Any = msgspec.UNSET
    tenant: Any = None
    id: Any = None
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decoder = msgspec.json.Decoder(_PublishedLine)
_value_decoder = msgspec.json.Decoder(dict[str, Any])


def record(line: bytes) -> Record:
    """Returns the record of a line. Keeps its bytes, so that upstream signatures and hashes stay valid.

    `specversion` marks a CloudEvent, `kind` a catalogue entry. Raises BadLine, also for an unpaired surrogate in an id,
    a time or a condition. In another text of an entry it becomes U+FFFD. The consumers handle other texts of events.
    """
    if len(line) > MAX_LINE_BYTES:
        raise BadLine(f"has {len(line):,} bytes, and {MAX_LINE_BYTES:,} is the most a topic takes")
    members = _members(line)
    if members.specversion is not msgspec.UNSET:
        key = f"{_text(members.tenantid, 'tenantid')}/{_text(members.subject, 'subject')}"
        return Record(is_event=True, key=key.encode(), value=line)
    if members.kind is not msgspec.UNSET:
        return _entry(members)
    raise BadLine("is neither a CloudEvent (specversion) nor a catalogue entry (kind)")


def _members(line: bytes) -> _PublishedLine:
    try:
        try:
            return _decoder.decode(line)
        except msgspec.DecodeError:
            first = read_json(_decoder, line, {})  # tells the kind of line, and so which texts must be exact
            return read_json(_decoder, line, _exact(first))
    except UnpairedSurrogate as error:
        raise BadLine(str(error)) from None
    except msgspec.ValidationError:
        raise BadLine("is not a JSON object") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadLine(f"is not JSON: {error}") from None
    except RecursionError:
        raise BadLine("is nested too deeply") from None


def _exact(members: _PublishedLine) -> Exact:
    if members.specversion is not msgspec.UNSET:
        return EXACT_EVENT
    value: Exact = EXACT_IN[EntryKind(members.kind)] if members.kind in KINDS else {}
    return {"tenant": EXACT, "id": EXACT, "value": value}


def _entry(members: _PublishedLine) -> Record:
    kind = members.kind
    if kind not in KINDS:
        raise BadLine(f"kind: must be one of {', '.join(KINDS)}, not {kind!r}")
    if isinstance(members.value, msgspec.UnsetType):
        raise BadLine("value: is missing; null removes the entry")
    value = bytes(members.value)
    if value == b"null":
        return Record(is_event=False, key=_key(kind, members.tenant, members.id, "tenant", "id"), value=None)
    try:
        entry = read_json(_value_decoder, value, {})
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadLine("value: must be an object, or null to remove the entry") from None
    id_member = ID_MEMBER.get(kind, "id")
    key = _key(kind, entry.get("tenant"), entry.get(id_member), "value.tenant", f"value.{id_member}")
    return Record(is_event=False, key=key, value=value)


def _key(kind: str, tenant: object, entry_id: object, tenant_path: str, id_path: str) -> bytes:
    parts = [kind, _text(entry_id, id_path)]
    if kind in OWNED_BY_TENANT:
        parts.insert(1, _text(tenant, tenant_path))
    return "/".join(parts).encode()


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadLine(f"{path}: must be a text that isn't empty")
    return value
