"""One small tenant on its way through the consumers, over a memory store that a test can interfere with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.view import CountRequest, TenantView
from service.store.ports.counter_store import CounterStore
from service.store.ports.reading import query_for
from service.store.ports.steps import Batch, Loaded, Outcome
from tests.fakes.memory_building import MemoryBuildingStore
from tests.oracle.published.log import laid_out
from tests.oracle.published.records import LogItem, Record
from tests.support.days import day
from tests.support.pipeline import FakeProducer, Pipeline, published

TENANT = "acme"
NOW_US = 1_795_256_100_000_000
STATUSES = [{"id": "open", "name": "Open"}, {"id": "done", "name": "Done", "closed": True}]
ADMIN = Viewer("root", Role.ADMIN)


def tenant_entry(name: str = TENANT, **changes: Any) -> dict[str, Any]:
    value = {"id": name, "name": name, "realm": "r", "statuses": STATUSES, "priorities": [], "teams": []}
    return {"kind": "tenant", "value": value | changes}


def filter_entry(name: str = "vip", where: Any = None, tenant: str = TENANT) -> dict[str, Any]:
    where = where or {"field": "category", "op": "eq", "value": "vip"}
    return {"kind": "filter", "value": {"id": name, "tenant": tenant, "name": name, "type": "custom", "where": where}}


def removal(kind: str, name: str, tenant: str | None = None) -> dict[str, Any]:
    return {"kind": kind, "id": name, "value": None} | ({} if tenant is None else {"tenant": tenant})


def told(sequence: int, ticket: str = "T1", status: str = "open", tenant: str = TENANT, **more: Any) -> dict[str, Any]:
    """An update with the whole ticket."""
    attributes: dict[str, Any] = {name: more.pop(name) for name in ("type", "time", "datacontenttype") if name in more}
    data = more.pop("data", {"status": status, "createdAt": "2026-11-01T00:00:00Z", **more})
    return {
        "specversion": "1.0", "id": "e", "source": "/s", "type": "ticket.updated", "subject": ticket,
        "tenantid": tenant, "sequence": sequence, "data": data, **attributes,
    }  # fmt: skip


def deleted(sequence: int, ticket: str = "T1") -> dict[str, Any]:
    return told(sequence, ticket, type="ticket.deleted", data=None)


def patched(sequence: int, ticket: str = "T1", **members: Any) -> dict[str, Any]:
    return told(sequence, ticket, datacontenttype="application/merge-patch+json", data=members)


def tombstone(ticket: str = "T1") -> Record:
    """One without a sequence."""
    return Record(None, f"{TENANT}/{ticket}".encode())


def log_of(*items: LogItem) -> list[Record]:
    return laid_out(items)


class MeddledStore(MemoryBuildingStore):
    """Does what a test wants done just before a call; each once, first come first served."""

    def __init__(self) -> None:
        super().__init__()
        self.before_apply: list[Callable[[], Awaitable[None]]] = []
        self.before_load: list[Callable[[], Awaitable[None]]] = []
        self.applied: list[Batch] = []

    async def load(self, bucket: int, tickets: Mapping[str, Sequence[str]], generations: Mapping[str, str]) -> Loaded:
        if self.before_load:
            await self.before_load.pop(0)()
        return await super().load(bucket, tickets, generations)

    async def apply(self, batch: Batch) -> Outcome:
        if self.before_apply:
            await self.before_apply.pop(0)()
        self.applied.append(batch)
        return await super().apply(batch)


class SmallWorld:
    """A store, a catalogue topic and as many consumers as a test wants."""

    def __init__(self, *entries: Mapping[str, Any]) -> None:
        self.store = MeddledStore()
        self.topic = published(entries or (tenant_entry(), filter_entry()))
        self.producer = FakeProducer()

    async def consumer(self, *, catch_up: bool = True, **more: Any) -> Pipeline:
        """One that has read the catalogue, unless it is told not to yet, and filled what it asks for."""
        pipeline = Pipeline(self.store, self.topic, self.producer, NOW_US, **more)
        if catch_up:
            await pipeline.catch_up()
        await pipeline.backfill()
        return pipeline

    async def counts(self, *filter_ids: str, viewer: Viewer = ADMIN, tenant: str = TENANT) -> tuple[int, ...]:
        return await counts(self.store, filter_ids, viewer, tenant)

    @property
    def positions(self) -> dict[int, int]:
        """Those of the tenant's bucket."""
        return self.store._states[self.store.bucket(TENANT)].positions


async def counts(
    store: CounterStore,
    filter_ids: Sequence[str],
    viewer: Viewer = ADMIN,
    tenant: str = TENANT,
    now: int = NOW_US,
    zone: str = "UTC",
) -> tuple[int, ...]:
    """Counts as the service would give them."""
    stored = await store.tenant(tenant)
    assert stored is not None
    plan = TenantView(stored.record).plan(CountRequest(viewer, Perspective.TEMPLATE, tuple(filter_ids)), day(zone, now))
    snapshot = await store.snapshot(query_for(tenant, stored.record_version, stored.generation, plan, day(zone, now)))
    assert snapshot is not None
    return tuple(plan.evaluate(snapshot.columns, snapshot.counters, snapshot.timed)[: len(filter_ids)])
