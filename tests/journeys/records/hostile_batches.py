"""Batches that Kafka lets through and a careless reader wouldn't survive. Knows nothing of what becomes of them."""

import json

from tests.consumers.fetching.raw_batches import Raw, batch
from tests.journeys.programs.catalogue_lines import event

ODD_NAME = [(b"\xff\xfe", b"1")]


def good(ticket: str) -> Raw:
    return Raw(json.dumps(event("acme", ticket, 1)).encode(), f"acme/{ticket}".encode())


def told(ticket: str, **more: bytes) -> Raw:
    """A good event but for what is beside it."""
    record = good(ticket)
    headers = [(b"content-type", b"application/cloudevents+json"), *((name.encode(), more[name]) for name in more)]
    return Raw(record.value, record.key, [*headers, *ODD_NAME])


def hostile_batches() -> dict[str, bytes]:
    """Each by what is wrong with it. Packing them takes a second and 300 MB."""
    return {
        "a header name that is no text": batch(0, good("H0"), told("H1"), good("H2")),
        "the same, packed": batch(0, good("P0"), told("P1"), good("P2"), codec="zstd"),
        "a tombstone with such a header": batch(0, Raw(None, b"acme/T", ODD_NAME)),
        "neither key nor value": batch(0, Raw(None, None)),
        "20 MB of zeros": batch(0, good("Z0"), Raw(bytes(20_000_000), b"acme/Z"), good("Z2"), codec="gzip"),
        "a header of 20 MB": batch(0, Raw(b"{}", b"acme/Z", [(b"x", bytes(20_000_000))]), codec="gzip"),
        "a hundred thousand headers": batch(0, good("M0"), Raw(b"{}", b"acme/M", [(b"", None)] * 100_000), good("M2")),
        "300 MB in a batch": batch(0, Raw(bytes(150_000_000)), Raw(bytes(150_000_000)), codec="zstd"),
        "a key of any bytes": batch(0, Raw(b"{}", bytes(range(256)) * 2_000)),
        "no time": batch(0, Raw(json.dumps({**event("acme", "N", 1), "time": None}).encode(), b"acme/N", (), -(2**41))),
    }
