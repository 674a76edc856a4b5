"""Batches of version 2 as a producer of any language may write them, byte by byte. Knows nothing of the product's code.

Layout: https://kafka.apache.org/documentation/#recordbatch
"""

import gzip
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import cramjam
from aiokafka.record.util import calc_crc32c

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
TRANSACTIONAL, CONTROL = 0x10, 0x20
AFTER_CRC = struct.Struct(">hiqqqhii")
TIMESTAMP_MS = 1_795_000_000_000


@dataclass(frozen=True, slots=True)
class Raw:
    """One record. Names of headers are bytes: nobody says that they are text."""

    value: bytes | None = b"value"
    key: bytes | None = b"key"
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    timestamp_delta: int = 0
    offset_delta: int | None = None
    """None: one more than the one before."""


def varint(number: int) -> bytes:
    """Zigzag, seven bits a byte."""
    left, found = (number << 1) ^ (number >> 63), bytearray()
    while left > 0x7F:
        found.append(0x80 | left & 0x7F)
        left >>= 7
    return bytes([*found, left])


def packed(codec: str, body: bytes) -> bytes:
    """As that codec's most common producer packs."""
    if codec == "none":
        return body
    if codec == "gzip":
        return gzip.compress(body)
    if codec == "snappy":
        return bytes(cramjam.snappy.compress_raw(body))
    return bytes(getattr(cramjam, codec).compress(body))


def body_of(records: Sequence[Raw]) -> bytes:
    """The records of a batch, not packed."""
    return b"".join(_record(record, place) for place, record in enumerate(records))


def batch(
    base_offset: int,
    *records: Raw,
    codec: str = "none",
    attributes: int = 0,
    producer: int = -1,
    last_delta: int | None = None,
    body: bytes | None = None,
    count: int | None = None,
) -> bytes:
    """A whole batch with a good checksum; `body`, packed already, and `count` take the place of the records'."""
    body = packed(codec, body_of(records)) if body is None else body
    count = len(records) if count is None else count
    last = max(0, len(records) - 1) if last_delta is None else last_delta
    covered = AFTER_CRC.pack(
        CODECS[codec] | attributes,
        last,
        TIMESTAMP_MS,
        TIMESTAMP_MS + 5,
        producer,
        0 if producer >= 0 else -1,
        -1,
        count,
    )
    covered += body
    framed = struct.pack(">ibI", 0, 2, calc_crc32c(covered)) + covered
    return struct.pack(">qi", base_offset, len(framed)) + framed


def _record(record: Raw, place: int) -> bytes:
    delta = place if record.offset_delta is None else record.offset_delta
    parts = [b"\0", varint(record.timestamp_delta), varint(delta), _sized(record.key), _sized(record.value)]
    parts.append(varint(len(record.headers)))
    for name, value in record.headers:
        parts += [_sized(name), _sized(value)]
    inner = b"".join(parts)
    return varint(len(inner)) + inner


def _sized(content: bytes | None) -> bytes:
    return varint(-1) if content is None else varint(len(content)) + content
