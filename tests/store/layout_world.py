"""A small fixed world in a real Redis, and its keys and values as text: what `docs/redis-layout.md` shows."""

import re
import secrets
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from consumers.catalogue.printing import printed
from service.domain.tenants.record import numbered
from service.store.redis.building import RedisBuildingStore
from tests.consumers.small_world import NOW_US, filter_entry, log_of, tenant_entry, told
from tests.support.pipeline import FakeProducer, Pipeline, published

BUCKETS = 4
TENANT = "acme"

TICKETS = (
    told(7, "T1", team="net", assignee="ann", requester="rob", dueAt="2026-11-21T18:00:00Z", tags=["vip"]),
    told(3, "T2", team="net", requester="rob"),
    told(1, "T3", team="net", tags=["vip"]),
    told(1, "T4", team="net", status="done"),
    told(1, "T5", team="net", status="done", tags=["vip"]),
    told(2, "T3", type="ticket.deleted", data=None),
)
"""The page's tenant has the first two; the team's part of its counter has more masks than it may with the fifth."""


def without_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers random ids and revisions instead, so that each run writes the same bytes."""
    ids, revisions = count(1), count(1)
    monkeypatch.setattr(time, "time_ns", lambda: NOW_US * 1000)
    monkeypatch.setattr(secrets, "token_hex", lambda size: f"{next(ids):0{2 * size}x}")
    monkeypatch.setattr(secrets, "token_bytes", lambda _size: b"rev-%04d" % next(revisions))


async def small_tenant(store: RedisBuildingStore) -> Pipeline:
    """A consumer that has read the catalogue and the first two tickets."""
    await store.ensure_layout()
    vip = filter_entry("vip", {"field": "tags", "op": "contains_any", "value": ["vip"]})
    pipeline = Pipeline(store, published((tenant_entry(), vip)), FakeProducer(), NOW_US)
    await pipeline.catch_up()
    await pipeline.consume(log_of(*TICKETS)[:2])
    return pipeline


async def columns(store: RedisBuildingStore) -> str:
    """The tenant's columns, a line each: number and condition."""
    stored = await store.tenant(TENANT)
    assert stored is not None
    return "".join(
        f"{number} {printed(column.condition)}{f', by {column.by}' if column.by else ''}\n"
        for number, column in sorted(numbered(stored.record).items())
    )


def dump(client: Any, pattern: str = "*") -> str:
    """Every key with its type, and below it what it holds."""
    return "".join(
        f"{key.decode()}  {client.type(key).decode()}\n" + "".join(f"  {line}\n" for line in _lines(client, key))
        for key in sorted(client.scan_iter(match=pattern))
    )


def _lines(client: Any, key: bytes) -> Iterator[str]:
    match client.type(key):
        case b"string":
            yield shown(client.get(key) or b"")
        case b"hash":
            yield from (_field(name, value) for name, value in sorted(client.hgetall(key).items()))
        case b"set":
            yield from map(shown, sorted(client.smembers(key)))
        case b"zset":
            scored = client.zrange(key, 0, -1, withscores=True)
            yield from (f"{shown(member)} = {score:.0f}" for member, score in scored)


def _field(name: bytes, value: bytes) -> str:
    if name == b"record":
        return f"record = ({len(value)} bytes of MessagePack, shown below)"
    if name.startswith(b"f:"):
        assert re.fullmatch(rb"\d{13}", value), "it is Redis' own time in ms"
        return f"{shown(name)} = {NOW_US // 1000}"
    return f"{shown(name)} = {shown(value)}"


def shown(value: bytes) -> str:
    """Letters, digits and some signs as they are, every other byte as \\xNN."""
    return "".join(chr(byte) if re.match(r"[\w *:.-]", chr(byte), re.ASCII) else f"\\x{byte:02x}" for byte in value)
