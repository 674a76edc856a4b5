"""A service process on a real Redis that a test fills by itself, without Kafka. Asserts only that it ends quietly."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from service.domain.catalogue.catalogue import Priority, Realm, Status, TenantSettings
from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.contributions import Changes
from service.domain.tenants.record import new_record, numbered
from service.domain.tenants.tenant_entries import Entries
from service.domain.tickets.ticket import Ticket, TicketState
from service.store.ports.catalogue import StoredTenant
from service.store.ports.steps import Applied, Batch, PartitionProgress, TenantBatch
from service.store.redis.store import RedisStore, open_store
from service.token import generate, jwks, mint
from tests.journeys.programs.program import Program
from tests.web.push.streaming.http_stream import opened

STREAM = "/api/v2/ticketing/ticket/count/stream"
STREAM_TICKET = f"{STREAM}-ticket"
ASKED = {"type": "template", "module": "ticketing", "filterIds": "all"}
KEY = generate()
BUCKETS = 64

NAME = "In\x85progress,\u2028or\u2029so"
"""Of a status, with what some readers take for the end of a line."""


def token(ttl_s: int = 600, user: str = "ann", role: str = "ticket_admin", teams: Sequence[str] = ()) -> str:
    """A good one."""
    now_s = int(time.time())
    return mint(
        KEY,
        realm="r",
        issuer="https://id.example/r",
        tenants=["acme"],
        user=user,
        roles=[role],
        teams=teams,
        now_s=now_s,
        ttl_s=ttl_s,
    )


def headers_of(user: str = "ann", role: str = "ticket_admin") -> dict[str, str]:
    """What this user's requests carry."""
    return {"authorization": f"Bearer {token(user=user, role=role)}", "x-tenantid": "acme", "realmname": "r"}


def stream_request(headers: Mapping[str, str], more: str = "") -> bytes:
    """A whole request for the usual stream, for clients that are sockets; `more` are lines of its head."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"host": "x", **headers}.items())
    query = "&".join(f"{name}={value}" for name, value in ASKED.items())
    return f"GET {STREAM}?{query} HTTP/1.1\r\n{lines}{more}\r\n".encode()


class Filling:
    """Stands for the consumers: counts tickets of the one tenant."""

    def __init__(self, store: RedisStore) -> None:
        self.store = store
        self.total = 0
        self.version = 0
        """Of the latest change."""

    async def add(self) -> int:
        """Counts one more ticket; returns the total."""
        stored = await self.store.tenant("acme")
        assert stored is not None
        columns, changes, now = ColumnMatcher(numbered(stored.record)), Changes(), time.time_ns() // 1000
        ticket = Ticket("3745", now)
        changes.add(None, TicketState(0, ticket, now, columns.mask(ticket, now)))
        tenant = TenantBatch("acme", stored.record_version, stored.generation, (), changes.deltas(), now)
        progress = {0: PartitionProgress(None, self.total + 1, 0)}
        outcome = await self.store.apply(Batch(self.store.bucket("acme"), "topic", progress, [tenant], now))
        assert isinstance(outcome, Applied)
        self.total += 1
        self.version = outcome.versions["acme"]
        return self.total


class Serving:
    """A service process, the store it reads, and a client of it."""

    def __init__(self, program: Program, store: RedisStore, client: httpx.AsyncClient) -> None:
        self.program, self.store, self.client = program, store, client
        self._filling = Filling(store)

    @property
    def url(self) -> str:
        return self.program.address

    @property
    def headers(self) -> dict[str, str]:
        return headers_of()

    def stream(self, **how: Any) -> Any:
        return opened(self.client, STREAM, params=ASKED, headers={**self.headers, **how})

    @property
    def total(self) -> int:
        """Tickets counted so far."""
        return self._filling.total

    async def add(self) -> int:
        """Counts one more ticket; returns the total."""
        return await self._filling.add()

    async def metric(self, name: str) -> float:
        return await asyncio.to_thread(self.program.metric, name)

    def restart(self) -> None:
        """Starts the process again after its end; blocking. At the same address only with a PORT of its own."""
        self.program.launch(_address)

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.program.pid}/fd").iterdir()))


async def found_tenant(store: RedisStore) -> None:
    await store.ensure_layout()
    await store.put_realm("r", 1, Realm("r", "https://id.example/r", jwks(KEY)))
    statuses = (Status("3745", NAME), Status("3748", "Closed", closed=True))
    settings = TenantSettings("acme", "Acme", "r", statuses, (Priority("4196", "High", 1),))
    assert await store.put_tenant("acme", None, StoredTenant("t1", "g1", new_record(Entries(settings), 1)))
    await store.set_tenants_read()
    await store.set_validated_offset(2)


@asynccontextmanager
async def serving(redis: str, directory: Path, **settings: object) -> AsyncIterator[Serving]:
    """At the end the process has to go quietly, whatever streams are open."""
    environ = {f"TICKET_COUNTS_{name}": str(value) for name, value in {"REDIS": redis, "PORT": 0, **settings}.items()}
    program = Program("service", directory / "service.log", environ)
    async with open_store(redis, BUCKETS, 5.0) as store:
        await found_tenant(store)
        await asyncio.to_thread(program.launch, _address)
        limits = httpx.Limits(max_connections=None)
        try:
            async with httpx.AsyncClient(
                base_url=program.address, timeout=30, limits=limits, trust_env=False, verify=False
            ) as client:
                yield Serving(program, store, client)
            if program.running:
                await asyncio.to_thread(program.terminate)
        finally:
            program.kill()


def _address(line: Mapping[str, Any]) -> str | None:
    return str(line["url"]) if line.get("event") == "listening" else None
