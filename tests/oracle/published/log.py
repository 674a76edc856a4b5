"""Encodes events as Kafka records in either content mode, spread over partitions. Sends nothing."""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tests.oracle.published.records import HALF, STRUCTURED, LogItem, Record


def as_record(item: LogItem, *, binary: bool = False) -> Record:
    """Returns the record of an event, with its key. Returns a Record unchanged."""
    if isinstance(item, Record):
        return item
    key = f"{item.get('tenantid')}/{item.get('subject')}".encode(errors="replace")
    if not binary or not fits_headers(item):
        return Record(json.dumps(item).encode(), key, (("content-type", STRUCTURED.encode()),))
    headers = [
        (f"ce_{name}", str(value).encode())
        for name, value in item.items()
        if name not in ("data", "datacontenttype") and value is not None
    ]
    headers.append(("content-type", str(item.get("datacontenttype") or "application/json").encode()))
    data = item.get("data")
    # An empty value rather than null, which would be a tombstone.
    return Record(b"" if data is None else json.dumps(data).encode(), key, tuple(headers))


def fits_headers(event: Mapping[str, Any]) -> bool:
    """Whether headers can carry the attributes unchanged. They are texts: the number 1.0 would become a valid "1.0"."""
    names = event.keys() - {"data", "sequence"}
    return all(event[name] is None or (isinstance(event[name], str) and not HALF.search(event[name])) for name in names)


def laid_out(
    items: Iterable[LogItem], partitions: int = 1, *, is_binary: Callable[[int], bool] = lambda index: False
) -> list[Record]:
    """Returns the records with partition and offset, in the same order. Equal keys go to the same partition.

    `is_binary(index)` selects the events that are encoded in binary content mode.
    """
    ends = [0] * partitions
    log = []
    for index, item in enumerate(items):
        record = as_record(item, binary=is_binary(index))
        partition = zlib.crc32(record.key or b"") % partitions
        log.append(replace(record, partition=partition, offset=ends[partition]))
        ends[partition] += 1
    return log
