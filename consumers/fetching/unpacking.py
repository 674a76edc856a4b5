"""Packed batches, unpacked up to a limit: 2 MiB of packed zeros must not become gigabytes of this process.

Sources: KIP-31 and KIP-110 for the codecs, xerial's snappy-java for the blocks that Java's snappy comes in.
"""

import mmap
import struct
import zlib
from functools import cache

import cramjam

CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}

_GZIP_WINDOW = 31  # zlib's way to say: with the header of gzip
_XERIAL_MAGIC, _XERIAL_HEADER_BYTES = b"\x82SNAPPY\x00", 16
_INT = struct.Struct(">i")
_KEPT_BYTES = 4 * 1024 * 1024
"""What of the room for unpacking stays with this process between two batches; few are larger."""


class Unpackable(Exception):
    """It can't be unpacked, or not within the limit. The message says why."""


class TooLarge(Unpackable):
    """It doesn't fit into the limit."""


def unpacked(codec: int, packed: memoryview, limit: int) -> bytes:
    """The bytes that were packed. Raises Unpackable and TooLarge; never takes more memory than `limit` and some."""
    name = CODECS.get(codec)
    if name is None:
        raise Unpackable(f"it is packed with codec {codec}, which Kafka doesn't have")
    try:
        return _gunzipped(packed, limit) if name == "gzip" else _by_cramjam(name, packed, limit)
    except (zlib.error, struct.error, cramjam.DecompressionError) as error:
        if "output buffer" in str(error) or "whole buffer" in str(error):  # how cramjam says that there is no room
            raise _too_large(limit) from None
        raise Unpackable(f"its {name} can't be unpacked: {error}") from None


def _gunzipped(packed: memoryview, limit: int) -> bytes:
    found, rest = b"", bytes(packed)
    while rest:
        member = zlib.decompressobj(_GZIP_WINDOW)
        found += member.decompress(rest, limit - len(found) + 1)
        if len(found) > limit:
            raise _too_large(limit)
        if not member.eof:
            raise Unpackable("its gzip ends too early")
        rest = member.unused_data
        if not rest.startswith(b"\x1f\x8b"):  # Java's reader takes no notice of what follows either
            break
    return found


def _by_cramjam(name: str, packed: memoryview, limit: int) -> bytes:
    room = _room(limit)
    with memoryview(room) as view:
        size = _unsnapped(packed, view) if name == "snappy" else getattr(cramjam, name).decompress_into(packed, view)
        found = bytes(view[:size])
    if size > _KEPT_BYTES:
        room.madvise(mmap.MADV_DONTNEED)
    return found


def _unsnapped(packed: memoryview, view: memoryview) -> int:
    if bytes(packed[: len(_XERIAL_MAGIC)]) != _XERIAL_MAGIC:
        return cramjam.snappy.decompress_raw_into(packed, view)
    at, size = _XERIAL_HEADER_BYTES, 0
    while at < len(packed):
        (length,) = _INT.unpack_from(packed, at)
        if length <= 0:
            raise Unpackable("its snappy has a block of no length")
        size += cramjam.snappy.decompress_raw_into(packed[at + 4 : at + 4 + length], view[size:])
        at += 4 + length
    return size


@cache
def _room(limit: int) -> mmap.mmap:
    """Where batches are unpacked, one at a time. Small and large ones have different limits, and so never share a room
    between two threads. The system gives pages of it only where something was written."""
    return mmap.mmap(-1, limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"it has more than {limit:,} bytes when unpacked")
