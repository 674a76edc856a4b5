"""A dead letter as it is read back: the record it was, and what was said of it. Pure; sends and judges nothing."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from consumers.dead_letters.packing import NOTE
from consumers.publishing.ndjson import OWNED_BY_TENANT
from consumers.types import RecordBytes
from service.domain.json_reading import read_json
from service.domain.tickets.ids import is_id, is_tenant_id

ADDED = ("reason", "topic", "partition", "offset")
"""The headers that parking adds, last and in this order: a record may have had headers of these names before."""


class Origin(NamedTuple):
    """Where a record stood when it was found to be bad."""

    topic: str
    partition: int
    offset: int


class ReadLetter(msgspec.Struct, frozen=True):
    """One dead letter: bytes, key, headers and time are those of the record, without what parking has added.

    A header's name that isn't UTF-8 has surrogates.
    """

    origin: Origin
    reason: str
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    is_whole: bool = True
    """All of the record is here; False for a part of it, and for a batch of which no records could be made."""


class _Note(msgspec.Struct):
    """What the note says of a letter that isn't as its record was."""

    batch: bool = False
    timestamp: int | None = None
    key: dict[str, Any] | None = None
    value: dict[str, Any] | None = None
    headers: dict[str, Any] | None = None
    header_names: dict[str, bytes] = {}


class Whose(NamedTuple):
    """Whose record it is, as far as a bad one tells; "" for what it doesn't."""

    tenant: str
    ticket: str


class _Named(msgspec.Struct):
    """What says whose record it is, in an event's or an entry's JSON."""

    tenantid: Any = None
    tenant: Any = None
    subject: Any = None


_named_decoder = msgspec.json.Decoder(_Named)
_note_decoder = msgspec.json.Decoder(_Note)


def letter_in(record: RecordBytes) -> ReadLetter | None:
    """The letter in a record of the dead-letter topic; None where somebody else has written one."""
    kept, added = tuple(record.headers[: -len(ADDED)]), record.headers[-len(ADDED) :]
    if tuple(name for name, _ in added) != ADDED:
        return None
    reason, topic, partition, offset = ((value or b"").decode(errors="replace") for _, value in added)
    if not (partition.isdecimal() and offset.isdecimal()):
        return None
    origin = Origin(topic, int(partition), int(offset))
    kept, note = _without_note(kept)
    at_ms = record.timestamp if note.timestamp is None else note.timestamp
    is_whole = not (note.batch or note.key or note.value or note.headers)
    return ReadLetter(origin, reason, at_ms, record.key, record.value, kept, is_whole)


def _without_note(
    headers: tuple[tuple[str, bytes | None], ...],
) -> tuple[tuple[tuple[str, bytes | None], ...], _Note]:
    """The record's own headers, named as they were, and what the note says; an empty one where there is none."""
    if not headers or headers[-1][0] != NOTE:
        return headers, _Note()
    try:
        note = _note_decoder.decode(headers[-1][1] or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):  # parked by a release without notes
        return headers, _Note()
    own = (
        (note.header_names[str(place)].decode(errors="surrogateescape"), value)
        if str(place) in note.header_names
        else (name, value)
        for place, (name, value) in enumerate(headers[:-1])
    )
    return tuple(own), note


def whose(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]], *, of_catalogue: bool
) -> Whose:
    """Whose record it is: by its key, else by its headers, else by what is in it; entries have no ticket."""
    if of_catalogue:
        owner = _entry_owner(key)
        return Whose(owner if is_tenant_id(owner) else _first(is_tenant_id, _named_in(value).tenant), "")
    tenant, slash, ticket = _text(key).partition("/")
    said = {name.lower(): text for name, text in headers}
    tenant = _first(is_tenant_id, tenant if slash else "", _text(said.get("ce_tenantid")))
    ticket = _first(is_id, ticket, _text(said.get("ce_subject")))
    if not (tenant and ticket):
        named = _named_in(value)
        return Whose(tenant or _first(is_tenant_id, named.tenantid), ticket or _first(is_id, named.subject))
    return Whose(tenant, ticket)


def whose_letter(letter: ReadLetter, catalogue_topic: str) -> Whose:
    """Whose record a letter holds."""
    of_catalogue = letter.origin.topic == catalogue_topic
    return whose(letter.key, letter.value, letter.headers, of_catalogue=of_catalogue)


def _first(is_one: Callable[[str], bool], *candidates: object) -> str:
    return next((name for name in candidates if isinstance(name, str) and is_one(name)), "")


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode(errors="replace")


def _entry_owner(key: bytes | None) -> str:
    """The tenant in a catalogue key; realms and credentials have none there."""
    kind, *ids = _text(key).split("/", 2)
    return ids[0] if ids and kind in ("tenant", *OWNED_BY_TENANT) else ""


def _named_in(value: bytes | None) -> _Named:
    try:
        return read_json(_named_decoder, value or b"{}", {})
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Named()
