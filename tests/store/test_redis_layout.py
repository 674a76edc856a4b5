"""`docs/redis-layout.md` is true: of every key that the code can name or write, and of every byte that it shows."""

import inspect
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from consumers.audit.tenant_audit import TenantAudit
from consumers.backfill import backfiller
from service.store import keys
from service.store.ports.budgets import Charge, Claim, Extension, Mark, Quota, Rate
from service.store.ports.grants import Grant, Lives, name_of, owner_of
from service.store.redis.building import RedisBuildingStore, open_building_store
from tests.consumers.small_world import NOW_US, filter_entry, log_of, tenant_entry, told
from tests.domain.catalogue.test_entries import EC
from tests.servers.redis.redis_server import closing_client
from tests.store.layout_world import BUCKETS, TENANT, TICKETS, columns, dump, shown, small_tenant, without_chance
from tests.support.pipeline import FakeProducer, Pipeline, published
from tests.support.rebuilds import rebuilding_over

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/redis-layout.md").read_text()
TIMEOUT_S = 10.0

PLACEHOLDERS = {
    "bucket": r"\d+",
    "tenant": r"[A-Za-z0-9_-]{1,64}",
    "generation": r"[0-9a-f]{21}",
    "counter": r"(\*|[art]:[^{}]+)",
    "owner": r"[0-9a-f]{16}",
    "digest": r"[0-9a-f]{32}",
    "name": r"[a-z-]+",
}


class Row(NamedTuple):
    """A line of the page's tables of keys."""

    pattern: str
    type: str
    expires: bool

    def matches(self, key: str) -> bool:
        parts = re.split(r"<(\w+)>", self.pattern)
        expression = "".join(PLACEHOLDERS[part] if n % 2 else re.escape(part) for n, part in enumerate(parts))
        return re.fullmatch(expression, key) is not None


def any_client(url: str) -> AbstractContextManager[Any]:
    """A client whose replies are not typed: redis-py's types allow text where bytes come."""
    return closing_client(url)


def rows() -> list[Row]:
    found = re.findall(r"^\| `(tc:[^`]+)` \| (\w[\w ]*) \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE)
    return [Row(pattern, kind, lifetime.startswith("expires")) for pattern, kind, lifetime in found]


def of_key(key: str) -> Row:
    found = [row for row in rows() if row.matches(key)]
    assert len(found) == 1, f"{key} has {len(found)} lines in docs/redis-layout.md"
    return found[0]


# -- the page and keys.py ----------------------------------------------------------------------------------------------

SAMPLES: Mapping[str, Any] = {
    "bucket": 2,
    "name": "acme",
    "generation": "660c6a21f110000000002",
    "scope": "t:net",
    "kind": "form-failed",
    "holder": "ann",
    "owner": owner_of("realm", "ann"),
    "counters": ("t:net", "a:ann"),
    "timed_counters": ("r:rob",),
}


def keys_in_code() -> set[str]:
    """A key of every constant and function of keys.py that gives one."""
    found = {value for value in vars(keys).values() if isinstance(value, str) and value.startswith("tc:")}
    for name, function in inspect.getmembers(keys, inspect.isfunction):
        wanted = inspect.signature(function).parameters
        if function.__module__ == keys.__name__ and not name.startswith("_") and wanted.keys() <= SAMPLES.keys():
            result = function(**{each: SAMPLES[each] for each in wanted})
            found |= {each for each in (result if isinstance(result, tuple) else (result,)) if each.startswith("tc:")}
    return found - {keys.ANY_BUCKET, keys.HINTS}


def test_every_key_of_the_code_is_on_the_page_and_the_reverse() -> None:
    named = {of_key(key) for key in keys_in_code()}
    assert len(named) > 20
    assert [row.pattern for row in rows() if row not in named] == []
    assert f"`{keys.HINTS}`" in PAGE


def test_no_other_file_makes_up_a_key() -> None:
    """Or this page would not see it."""
    others = [
        path
        for folder in ("service", "consumers", "deploy")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".lua") and path != Path(keys.__file__)
    ]
    assert len(others) > 200
    names = {name for path in others for name in re.findall(r"""["']tc:[^"']*""", path.read_text())}
    assert names == {f"'{keys.HINTS}"}


# -- the page and what is really stored --------------------------------------------------------------------------------


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


async def test_the_small_tenant_is_stored_as_shown(redis_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without_chance(monkeypatch)
    async with open_building_store(redis_db, BUCKETS, TIMEOUT_S) as store:
        consumer = await small_tenant(store)
        with any_client(redis_db) as client:
            assert await columns(store) == blocks("text")[0]
            assert dump(client) == blocks("text")[1]
            record = client.hget(keys.tenant(store.bucket(TENANT), TENANT), "record")
            assert json.loads(msgspec.json.encode(msgspec.msgpack.decode(record))) == json.loads(blocks("json")[0])
            apart = taken_apart()
            for field, key, value in apart[:-1]:
                assert shown((client.hget(key, field) if field else client.get(key)) or b"") == value, key
            for number, event in enumerate(log_of(*TICKETS)[2:]):
                await consumer.consume([event])
                assert dump(client, "*:count:*:t:net") == blocks("text")[2 + number]
                if number == 2:
                    assert shown(client.get(apart[-1][1]) or b"") == apart[-1][2]
    assert len(blocks("text")) == 6


def taken_apart() -> list[tuple[str, str, str]]:
    """Field, key and value of the tables that take a value apart: their first cells hold all of its bytes in order."""
    tables = re.findall(r"^Bytes of (?:`([^`]+)` in )?`(tc:[^`]+)`:\n\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert len(tables) == 4
    return [(field, key, "".join(re.findall(r"`([^`]+)`", _first_cells(table)))) for field, key, table in tables]


def _first_cells(table: str) -> str:
    return "".join(line.split("|")[1] for line in table.splitlines())


# -- every key of a busy world -----------------------------------------------------------------------------------------

TYPES = {
    "set": "string", "hset": "hash", "hincrby": "hash", "sadd": "set", "zadd": "sorted set", "expire": "expire",
}  # fmt: skip


@contextmanager
def every_write(url: str) -> Iterator[dict[str, set[str]]]:
    """Once the context is left: each key that was written in it, with its types, and "expire" where it has an end."""
    seen: dict[str, set[str]] = defaultdict(set)
    with any_client(url) as client, client.pubsub() as told:
        before = client.config_get("notify-keyspace-events")["notify-keyspace-events"]
        client.config_set("notify-keyspace-events", "EA")
        try:
            told.psubscribe("__keyevent@*__:*")
            yield seen
            client.set("the end", "")
            while "the end" not in seen:
                if (message := told.get_message(timeout=TIMEOUT_S)) and message["type"] == "pmessage":
                    event = message["channel"].decode().rpartition(":")[2]
                    if event in TYPES:
                        seen[message["data"].decode()].add(TYPES[event])
            del seen["the end"]
        finally:
            client.config_set("notify-keyspace-events", before)


REALM = {"kind": "realm", "value": {"name": "r", "issuer": "https://id", "jwks": {"keys": [EC]}}}
CREDENTIAL = {
    "kind": "credential",
    "value": {
        "identifier": "panel",
        "secretSha256": "0" * 64,
        "tenant": TENANT,
        "admin": {"id": "1", "name": "Ann", "username": "ann"},
        "teams": [],
    },
}
ENTRIES = (
    REALM,
    CREDENTIAL,
    tenant_entry(),
    filter_entry("late", {"field": "dueAt", "op": "before", "value": "@now"}),
    filter_entry("week", {"field": "createdAt", "op": "within", "value": "this_week"}),
    {
        "kind": "profile",
        "value": {"id": "p", "tenant": TENANT, "name": "P", "where": {"field": "team", "op": "eq", "value": "t1"}},
    },
)
EVENTS = tuple(
    told(1, f"T{n}", team=f"t{n % 3}", assignee=f"u{n % 4}", requester=f"/u/{n % 5}", dueAt=f"2026-11-21T10:{n}:30Z")
    | {"time": "2026-11-21T10:00:00Z"}
    for n in range(10, 60)
)


class AuditedWhileItWrites(RedisBuildingStore):
    """Applies an event as soon as an audit has begun."""

    meanwhile: Any = None

    async def audit(self, ask: Any) -> Any:
        read = await super().audit(ask)
        if self.meanwhile is not None:
            once, self.meanwhile = self.meanwhile, None
            await once()
        return read


async def busy(store: AuditedWhileItWrites, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters, an edit that is backfilled in several turns, timers, demands, an audit, a rebuild, a removal."""
    monkeypatch.setattr(backfiller, "SLICE_S", 0.0)
    await store.ensure_layout()
    await store.set_catalogue_topic("catalogue-topic-1")
    topic, log = published(ENTRIES), log_of(*EVENTS)
    consumer = Pipeline(store, topic, FakeProducer(), NOW_US)
    await consumer.catch_up()
    await consumer.consume(log[:-1])
    await consumer.step.unknown_ids.store(store)
    await consumer.timers.look()
    topic.publish(filter_entry("late", {"field": "dueAt", "op": "before", "value": "@now-PT1H"}))
    await consumer.catch_up()
    await store.note_demands(TENANT, [("p", "late", "")], NOW_US, missing=True)
    while consumer.catalogue_sync.to_backfill or await store.tenants_with_demands():
        await consumer.backfill()

    store.meanwhile = lambda: consumer.consume(log[-1:])
    assert not (await TenantAudit(store, consumer.clock).run(TENANT)).drift
    await rebuilding_over(store, {0: log}, NOW_US, []).run([TENANT])
    topic.publish({"kind": "tenant", "id": TENANT, "value": None})
    await consumer.catch_up()


async def asked_for(store: RedisBuildingStore) -> None:
    """What the service keeps of its callers."""
    await store.put_grant(owner_of("r", "ann"), name_of("ticket", "secret"), Grant(b"{}", "1"), Lives(9_000, 9_000), 4)
    await store.spend(TENANT, [Charge(Rate("user-previews", 10, 10), "ann")])
    assert await store.claim(TENANT, [Claim(Quota("ticket-users", 10), "")], "ann", 9_000)
    await store.extend_marks("panel", [Extension(Mark("form-failed", "192.0.2.0/24"), 5.0, 60.0)])


async def test_every_key_that_is_written_is_on_the_page(redis_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with every_write(redis_db) as seen:
        async with open_building_store(redis_db, BUCKETS, TIMEOUT_S) as opened:
            store = AuditedWhileItWrites(opened._client, BUCKETS)
            await busy(store, monkeypatch)
            await asked_for(store)
    written: dict[Row, set[str]] = defaultdict(set)
    for key, types in seen.items():
        written[of_key(key)] |= types
    assert {row: types for row, types in written.items() if types - {"expire"} != {row.type}} == {}
    assert {row.pattern for row, types in written.items() if "expire" in types} == {
        r.pattern for r in rows() if r.expires
    }
    assert [row.pattern for row in rows() if row not in written] == []
