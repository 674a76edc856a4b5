"""What a line of NDJSON publishes: the record it becomes. Pure: no I/O; never judges what the consumers will judge."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from consumers.decoding.cloudevent import EXACT_EVENT
from consumers.kafka.topics import EVENTS_MAX_MESSAGE_BYTES
from service.domain.catalogue.entries import EXACT_IN
from service.domain.catalogue.entry_key import EntryKind
from service.domain.json_reading import EXACT, Exact, UnpairedSurrogate, read_json

EVENT_HEADERS = (("content-type", b"application/cloudevents+json"),)
"""CloudEvents Kafka binding 1.0 §3.3: what marks a value as a whole event."""

MAX_LINE_BYTES = EVENTS_MAX_MESSAGE_BYTES - 65_536
"""Longest line: the topics' largest batch without the most that a key, a header and the framing around them take."""

KINDS = ("realm", "tenant", "filter", "profile", "credential")

OWNED_BY_TENANT = ("filter", "profile")
"""Kinds whose key has the tenant in it, because their ids are only unique within one."""

ID_MEMBER = {"realm": "name", "credential": "identifier"}
"""What a kind's value calls its id, where that isn't `id`."""


class BadLine(ValueError):
    """This line is no record: correct it. The message says what is wrong with it, not where it is."""


class Record(NamedTuple):
    """One record to publish; `value` None removes a catalogue entry, or is a ticket's tombstone."""

    is_event: bool
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] | None = None
    """None: those that mark its value as a whole event, or none for an entry."""
    timestamp_ms: int | None = None
    """None: now."""


class _PublishedLine(msgspec.Struct):
    """The members that decide what a line is; the others are not looked at."""

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
    """The record a line stands for, with its bytes as they came: what was signed or hashed upstream stays the same.

    A CloudEvent is known by `specversion`, a catalogue entry by `kind`. Raises BadLine, also for an unpaired surrogate
    in an id, a time or a condition; one in another text of an entry becomes U+FFFD, those of events the consumers read.
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
            first = read_json(_decoder, line, {})  # says what the line is, and so which texts must be exact
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
