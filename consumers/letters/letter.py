"""A dead letter as it is read back: the record it was, and what was said of it. Pure; sends and judges nothing."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from consumers.ndjson import OWNED_BY_TENANT
from service.domain.ids import is_tenant_id
from service.domain.json_reading import read_json

ADDED = ("reason", "topic", "partition", "offset")
"""The headers that parking adds, last and in this order: a record may have had headers of these names before."""


class Parked(Protocol):
    """A record of the dead-letter topic; aiokafka's ConsumerRecord is one."""

    @property
    def key(self) -> bytes | None:
        """The bad record's."""

    @property
    def value(self) -> bytes | None:
        """The bad record's."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """The bad record's, and then what parking has added."""

    @property
    def timestamp(self) -> int:
        """The bad record's, in milliseconds."""


class Origin(NamedTuple):
    """Where a record stood when it was found to be bad."""

    topic: str
    partition: int
    offset: int


class ReadLetter(msgspec.Struct, frozen=True):
    """One dead letter: bytes, key, headers and time are those of the record, without what parking has added."""

    origin: Origin
    reason: str
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class _Named(msgspec.Struct):
    """What says whose record it is, in an event's or an entry's JSON."""

    tenantid: Any = None
    tenant: Any = None


_named_decoder = msgspec.json.Decoder(_Named)


def letter_in(record: Parked) -> ReadLetter | None:
    """The letter in a record of the dead-letter topic; None where somebody else has written one."""
    kept, added = tuple(record.headers[: -len(ADDED)]), record.headers[-len(ADDED) :]
    if tuple(name for name, _ in added) != ADDED:
        return None
    reason, topic, partition, offset = (value.decode(errors="replace") for _, value in added)
    if not (partition.isdecimal() and offset.isdecimal()):
        return None
    origin = Origin(topic, int(partition), int(offset))
    return ReadLetter(origin, reason, record.timestamp, record.key, record.value, kept)


def tenant_of(letter: ReadLetter, *, of_catalogue: bool) -> str:
    """Whose record it is, as far as a bad one tells: by its key, else by what is in it. "" for nobody's."""
    in_key = (
        _entry_owner(letter.key) if of_catalogue else (letter.key or b"").partition(b"/")[0].decode(errors="replace")
    )
    candidates = (
        in_key,
        dict(letter.headers).get("ce_tenantid", b"").decode(errors="replace"),
        *_named_in(letter.value),
    )
    return next((name for name in candidates if is_tenant_id(name)), "")


def _entry_owner(key: bytes | None) -> str:
    """The tenant in a catalogue key; realms and credentials have none there."""
    kind, *ids = (key or b"").decode(errors="replace").split("/", 2)
    return ids[0] if ids and kind in ("tenant", *OWNED_BY_TENANT) else ""


def _named_in(value: bytes | None) -> tuple[str, ...]:
    try:
        named = read_json(_named_decoder, value or b"{}", {})
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    return tuple(name for name in (named.tenantid, named.tenant) if isinstance(name, str))
