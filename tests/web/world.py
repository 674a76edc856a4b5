"""A small world for the HTTP room: realms, tenants, tickets, a clock that stands still. Asserts nothing."""

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
from starlette.types import ASGIApp

from service.config.settings import ServiceSettings
from service.domain.catalogue.catalogue import (
    ClaimPaths,
    Filter,
    Priority,
    Profile,
    Realm,
    Sharing,
    Status,
    TenantSettings,
)
from service.domain.conditions.condition import AllOf, Asks, Leaf, Question
from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.contributions import Changes
from service.domain.tenants.record import TenantRecord, new_record, numbered
from service.domain.tenants.tenant_entries import Entries
from service.domain.tickets.ticket import Ticket, TicketState
from service.queries.counts import CountQueries
from service.store.ports.catalogue import StoredTenant
from service.store.ports.errors import StoreUnavailable
from service.store.ports.reading import CountQuery, Snapshot
from service.store.ports.steps import Batch, PartitionProgress, TenantBatch
from service.web.app import create_app
from service.web.ops.access_log import AccessLog
from service.web.push.hub import Hub
from service.web.push.stream_limiter import StreamLimiter
from tests.fakes.memory_store import MemoryStore
from tests.web.auth.keys import key_for, public_jwk, token

NOW_US = 1_800_000_000_123_456
"""2027-01-15T08:00:00.123456Z"""
NOW_S = NOW_US // 1_000_000

COUNT = "/api/v2/ticketing/ticket/count"
FILTERS = "/api/v2/ticketing/ticket/filters"
QUERY = "type=template&module=ticketing"

REALM = "helpdesk"
TENANT = "acme"

TICKETS = {
    "t1": Ticket("3745", 0, priority="4195", team="network", assignee="ann", requester="rob"),
    "t2": Ticket("3745", 0, priority="4196", team="network", assignee="bob", requester="ann"),
    "t3": Ticket("3748", 0, priority="4195", team="support", assignee="ann", requester="ann", sla_breached=True),
    "t4": Ticket("3748", 0, team="support", requester="rob"),
    "t5": Ticket("3745", 0),
}

FILTERS_IN_FORCE = {
    "7471": Filter("7471", "Assigned to Me", "assignment", Asks(Question.ASSIGNED)),
    "7472": Filter("7472", "My Team", "team", Asks(Question.TEAM), color="#123456"),
    "vip": Filter("vip", "VIP Customers", "custom", Leaf("priority", "eq", "4195"), owner="ann"),
    "shared": Filter(
        "shared",
        "Shared",
        "custom",
        AllOf(()),
        owner="zoe",
        shared_with=Sharing(frozenset(("lead",)), frozenset(("support",))),
    ),
    "agents": Filter("agents", "Agents' own", "custom", AllOf(()), perspectives=frozenset(("agent",))),
    "häß,lich": Filter("häß,lich", "Odd", "custom", AllOf(())),
}
PROFILES = {
    "urgent": Profile("urgent", "Urgent", Leaf("priority", "eq", "4195")),
    "own": Profile("own", "Ann's", AllOf(()), owner="ann"),
}


class SetClock:
    """A clock that only moves when told to."""

    def __init__(self, now_us: int) -> None:
        self.now = now_us

    def now_us(self) -> int:
        return self.now


class WatchedStore(MemoryStore):
    """Can be away, and counts what is read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.broken = False
        self.reads: list[str] = []

    def _read(self, what: str) -> None:
        if self.away:
            raise StoreUnavailable("redis://secret@internal")
        if self.broken:
            raise ValueError("secret inside")
        self.reads.append(what)

    async def ping(self) -> None:
        self._read("ping")

    async def realm(self, name: str) -> Realm | None:
        self._read(f"realm {name}")
        return await super().realm(name)

    async def tenant(self, tenant: str) -> StoredTenant | None:
        self._read(f"tenant {tenant}")
        return await super().tenant(tenant)

    async def snapshot(self, query: CountQuery) -> Snapshot | None:
        self._read("snapshot")
        return await super().snapshot(query)


def tenant_settings(name: str, realm: str, *, loading: bool = False) -> TenantSettings:
    return TenantSettings(
        name,
        name.title(),
        realm,
        (Status("3745", "Open", "#3B82F6"), Status("3748", "Closed", closed=True)),
        (Priority("4195", "Critical", 3), Priority("4196", "High", 2)),
        loading=loading,
    )


class World:
    """Everything a request meets. Make one with `a_world`."""

    def __init__(self, settings: ServiceSettings, clock: SetClock, store: WatchedStore | None = None) -> None:
        self.clock = clock
        self.store = store or WatchedStore()
        self.store.budget_clock_ms = lambda: self.clock.now_us() // 1_000
        self.lines: list[str] = []
        self.queries = CountQueries(self.store, self.clock, patience_s=0)
        limiter = StreamLimiter(
            settings.streams, settings.streams_per_user, settings.streams_per_tenant, settings.streams_per_address
        )
        self.hub = Hub(self.queries, limiter, self.clock)
        self.app: ASGIApp = create_app(
            self.queries, self.store, self.hub, self.store, settings, self.clock, AccessLog(self.lines.append)
        )
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://counts")
        self._offset = 0

    async def put_realm(self, name: str = REALM, **changes: Any) -> None:
        self._offset += 1
        jwks = {"keys": [public_jwk(key_for("ES256"), kid="k1"), public_jwk(key_for("ES256", "other"), kid="k2")]}
        realm = Realm(name, f"https://id.example/{name}", jwks)
        await self.store.put_realm(name, self._offset, msgspec.structs.replace(realm, **changes))

    async def drop_realm(self, name: str = REALM) -> None:
        self._offset += 1
        await self.store.put_realm(name, self._offset, None)

    async def put_tenant(self, record: TenantRecord) -> None:
        """Puts the record in force, as another state than the one before."""
        name = record.entries.settings.id
        before = await MemoryStore.tenant(self.store, name)
        new = StoredTenant(f"token-{record.version}-{len(self.store.reads)}", "g1", record)
        assert await self.store.put_tenant(name, before.record_version if before else None, new)

    async def record(self, name: str = TENANT) -> TenantRecord:
        stored = await MemoryStore.tenant(self.store, name)
        assert stored is not None
        return stored.record

    async def apply(self, tenant: str, tickets: Mapping[str, Ticket], *, position: int = 100, lag_ms: int = 0) -> None:
        """Counts tickets that were not counted before."""
        stored = await MemoryStore.tenant(self.store, tenant)
        assert stored is not None
        columns = ColumnMatcher(numbered(stored.record))
        changes = Changes()
        for ticket in tickets.values():
            counted = columns.counted(ticket, self.clock.now_us())
            changes.add(None, TicketState(0, ticket, 0, counted.mask, counted.next_change_at, counted.time_buckets))
        bucket = self.store.bucket(tenant)
        progress = {0: PartitionProgress(None, position, lag_ms), 1: PartitionProgress(None, 0, 0)}
        batch = TenantBatch(
            tenant,
            stored.record_version,
            stored.generation,
            (),
            changes.deltas(),
            NOW_US - 5_000_000,
            changes.time_buckets(),
        )
        await self.store.apply(Batch(bucket, "topic", progress, [batch], NOW_US - 500_000))

    def claims(self, user: str = "ann", *roles: str, teams: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
        realm = more.pop("realm", REALM)
        return {
            "iss": f"https://id.example/{realm}",
            "sub": user,
            "exp": NOW_S + 600,
            "realm_access": {"roles": list(roles or ("ticket_admin",))},
            "teams": list(teams),
        } | more

    def token(self, user: str = "ann", *roles: str, teams: tuple[str, ...] = (), **more: Any) -> str:
        return token(key_for("ES256"), "ES256", self.claims(user, *roles, teams=teams, **more))

    def headers(self, bearer: str | None = None, tenant: str = TENANT, realm: str = REALM) -> dict[str, str]:
        return {
            "authorization": f"Bearer {bearer or self.token()}",
            "x-tenantid": tenant,
            "realmname": realm,
        }

    async def post(
        self, ids: Any = ("all",), *, bearer: str | None = None, query: str = QUERY, **body: Any
    ) -> httpx.Response:
        return await self.client.post(f"{COUNT}?{query}", json={"filterIds": ids, **body}, headers=self.headers(bearer))

    async def get(self, query: str = "filterIds=all", *, bearer: str | None = None, **headers: str) -> httpx.Response:
        return await self.client.get(f"{COUNT}?{QUERY}&{query}", headers=self.headers(bearer) | headers)


async def a_world(clock: SetClock | None = None, /, **settings: Any) -> World:
    """A world with its catalogue and tickets in force."""
    world = World(ServiceSettings(**settings), clock or SetClock(NOW_US))
    await world.put_realm()
    await world.put_realm("other", claims=ClaimPaths(tenants="org.tenants"))
    entries = Entries(tenant_settings(TENANT, REALM), FILTERS_IN_FORCE, PROFILES)
    await world.put_tenant(new_record(entries, 17))
    for name in ("globex", "initech"):
        await world.put_tenant(new_record(Entries(tenant_settings(name, "other")), 18))
    await world.apply(TENANT, TICKETS)
    await world.store.set_tenants_read()
    await world.store.set_validated_offset(0)
    return world
