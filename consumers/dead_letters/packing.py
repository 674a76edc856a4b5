"""What is sent for a record that can't be applied: all of it, or as much as the topic takes. Pure; sends nothing."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from consumers.fetching.parsing import MOST_HEADERS
from consumers.types import Letter

NOTE = "parked"
"""Header with the differences between the letter and its record, as JSON. Only a letter that differs has it; it comes
before the four headers that every letter has."""

REASON_BYTES = 1000
"""Longest reason in a header: enough to point at any node, small beside a record."""

MOST_OWN_HEADERS = MOST_HEADERS - 5
"""Most headers of the record that a letter keeps: with the note and the four it has as many as our reader takes."""

MIB = 1024 * 1024


class SizeLimit(NamedTuple):
    """Bytes of a letter that may be the record's own; None for all."""

    value: int | None
    key: int | None
    headers: int | None


SIZE_LIMITS = (
    SizeLimit(None, None, None),
    SizeLimit(MIB, MIB, MIB),
    SizeLimit(256 * 1024, 16 * 1024, 16 * 1024),
    SizeLimit(16 * 1024, 1024, 1024),
    SizeLimit(0, 0, 0),
)
"""What is tried, one after another, until the topic takes it: a topic of somebody else's may take very little."""


class Parcel(NamedTuple):
    """What is sent."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def parcel(letter: Letter, reason: str, limit: SizeLimit, *, of_batch: bool = False, restamped: bool = False) -> Parcel:
    """A letter that takes no more than the limit. `restamped`: it is sent with another timestamp than the record's."""
    note: dict[str, Any] = {"batch": True} if of_batch else {}
    if restamped:
        note["timestamp"] = letter.timestamp
    key = _cut(letter.key, limit.key, "key", note)
    value = _cut(letter.value, limit.value, "value", note)
    kept = _headers_within(letter.headers[:MOST_OWN_HEADERS], limit.headers)
    if len(kept) < len(letter.headers):
        note["headers"] = {"count": len(letter.headers), "kept": len(kept)}
    headers = [(_spelled(name), content) for name, content in kept]
    if odd := {str(place): _base64(name) for place, (name, _) in enumerate(kept) if headers[place][0] != name}:
        note["header_names"] = odd
    # A record whose last header has the note's name gets a note too, so that taking one away is always right.
    if note or (headers and headers[-1][0] == NOTE):
        headers.append((NOTE, msgspec.json.encode(note)))
    said = reason.encode(errors="replace")[:REASON_BYTES] + _told(note).encode()
    headers += [
        ("reason", said),
        ("topic", letter.topic.encode()),
        ("partition", str(letter.partition).encode()),
        ("offset", str(letter.offset).encode()),
    ]
    return Parcel(key, value, headers)


def _cut(whole: bytes | None, limit: int | None, name: str, note: dict[str, Any]) -> bytes | None:
    if whole is None or limit is None or len(whole) <= limit:
        return whole
    note[name] = {"length": len(whole), "sha256": hashlib.sha256(whole).hexdigest(), "kept": limit}
    return whole[:limit]


def _headers_within(
    headers: Sequence[tuple[str, bytes | None]], limit: int | None
) -> Sequence[tuple[str, bytes | None]]:
    """As many of the first ones as the limit allows."""
    if limit is None:
        return headers
    for place, (name, content) in enumerate(headers):
        limit -= len(name.encode(errors="surrogateescape")) + len(content or b"") + 2
        if limit < 0:
            return headers[:place]
    return headers


def _spelled(name: str) -> str:
    """A header's name as every client can read it: a letter must not do to others what its record did to us."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _base64(name: str) -> str:
    return base64.b64encode(name.encode(errors="surrogateescape")).decode()


def _told(note: dict[str, Any]) -> str:
    """What was left out, for whoever reads the reason."""
    parts = [
        f"of its {name} the first {note[name]['kept']:,} of {note[name]['length']:,} bytes are here "
        f"(SHA-256 of all {note[name]['sha256']})"
        for name in ("key", "value")
        if name in note
    ]
    if "headers" in note:
        parts.append(f"of its {note['headers']['count']:,} headers the first {note['headers']['kept']:,}")
    return f"; {', '.join(parts)}" if parts else ""
