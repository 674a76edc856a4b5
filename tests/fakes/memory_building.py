"""The next generation of a tenant in memory: see `building.BuildingStore`. A store of its own until the swap."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from service.domain.counting.columns import ColumnId
from service.domain.counting.contributions import column_changes
from service.domain.counting.scopes import EVERYONE
from service.domain.tickets.ticket import Instant
from service.store.ports.building import (
    AHEAD,
    BEHIND,
    DUE,
    LAPSED,
    OTHER_RECORD,
    OTHER_TOPIC,
    Building,
    Gone,
    Memory,
    NotYet,
    SwapOutcome,
    Swapped,
)
from service.store.ports.catalogue import Bucket, StoredTenant
from service.store.ports.steps import Batch, BucketState, DueTicket, Loaded, Outcome, PartitionProgress, StaleCatalogue
from tests.fakes.memory_kept import Kept
from tests.fakes.memory_store import MemoryStore

ALWAYS_DUE: Instant = -(2**63)
EVERY = 2**63


@dataclass
class _Site:
    building: Building
    store: MemoryStore


class MemoryBuildingStore(MemoryStore):
    """`limits` stands for how full the server is."""

    def __init__(self, buckets: int = 4, clock_ms: Callable[[], int] = lambda: 0) -> None:
        super().__init__(buckets, clock_ms)
        self._sites: dict[str, _Site] = {}
        self.limits = Memory(0, 0)

    async def building(self, tenant: str) -> Building | None:
        site = self._sites.get(tenant)
        if site is None:
            return None
        states = await site.store.states([self.bucket(tenant)])
        return msgspec.structs.replace(site.building, state=states[self.bucket(tenant)])

    async def begin_building(self, tenant: str, expected: str | None, new: Building | None) -> bool:
        last, serving = self._sites.get(tenant), self.kept(tenant)
        if (None if last is None else last.building.generation) != expected:
            return False
        if new is not None and (serving is None or not _is_based_on(new, serving.stored)):
            return False
        if last is not None:
            self._give_up(tenant)
        if new is not None and serving is not None:
            await self._open(new, serving.stored)
        return True

    async def _open(self, new: Building, serving: StoredTenant) -> None:
        store = MemoryStore(self.buckets)
        await store.put_tenant(new.tenant, None, StoredTenant(new.record_version, new.generation, serving.record))
        await store.adopt_topic(self.bucket(new.tenant), new.state.topic)
        progress = {
            partition: PartitionProgress(None, position, 0) for partition, position in new.state.positions.items()
        }
        store.raise_positions(self.bucket(new.tenant), progress)
        self._sites[new.tenant] = _Site(new, store)

    def _give_up(self, tenant: str) -> None:
        self.orphan(tenant, self._sites.pop(tenant).building.generation)

    async def drop_tenant(self, tenant: str, expected: str) -> bool:
        dropped = await super().drop_tenant(tenant, expected)
        if dropped and tenant in self._sites:
            self._give_up(tenant)
        return dropped

    async def adopt_building(self, building: Building, record_version: str, complete: Mapping[ColumnId, int]) -> bool:
        site = self._of(building)
        if site is None or site.building.record_version != building.record_version:
            return False
        site.building = msgspec.structs.replace(site.building, record_version=record_version, complete=dict(complete))
        kept = site.store.kept(building.tenant)
        assert kept is not None
        kept.stored = msgspec.structs.replace(kept.stored, record_version=record_version)
        return True

    async def load_building(self, building: Building, tickets: Sequence[str]) -> Loaded:
        site = self._of(building)
        store = MemoryStore(self.buckets) if site is None else site.store
        name = building.tenant
        return await store.load(self.bucket(name), {name: tickets}, {name: building.generation})

    async def apply_building(self, batch: Batch) -> Outcome:
        (tenant,) = batch.tenants
        site = self._sites.get(tenant.tenant)
        return StaleCatalogue((tenant.tenant,)) if site is None else await site.store.apply(batch)

    async def building_due(self, building: Building, now: Instant, limit: int) -> Sequence[DueTicket]:
        site = self._of(building)
        return [] if site is None else await site.store.due(self.bucket(building.tenant), now, limit)

    async def merge_due(self, building: Building, since: Instant, limit: int) -> int:
        site, bucket = self._of(building), self.bucket(building.tenant)
        if site is None:
            return 0
        if site.building.merged_from is None:
            site.building = msgspec.structs.replace(site.building, merged_from=since)
        assert site.building.merged_from is not None
        moved = site.store.take_due(bucket, site.building.merged_from, limit)
        self.add_due(bucket, moved)
        return len(moved)

    async def swap(self, building: Building, record_version: str, latest: Instant) -> SwapOutcome:
        bucket, serving = self.bucket(building.tenant), self.kept(building.tenant)
        now = await self.building(building.tenant)
        if now is None or serving is None or self._of(building) is None or serving.stored.generation != now.base:
            return Gone()
        if serving.stored.record_version != now.record_version:
            return NotYet(OTHER_RECORD)
        site = self._sites[building.tenant]
        state = (await self.states([bucket]))[bucket]
        first_due = (await site.store.load(bucket, {}, {})).next_due
        why = _unready(now, state, first_due, latest)
        if why is not None:
            return NotYet(why)
        built = site.store.kept(building.tenant)
        assert built is not None
        before, after = _counts(serving), _counts(built)
        self.add_due(bucket, site.store.take_due(bucket, ALWAYS_DUE, EVERY))
        built.stored = StoredTenant(record_version, now.generation, serving.stored.record)
        built.version = serving.version + 1
        built.as_of = max((one for one in (built.as_of, serving.as_of) if one is not None), default=None)
        self.replace(building.tenant, built)
        await self.set_backfill_progress(building.tenant, "")
        del self._sites[building.tenant]
        return Swapped(built.version, before, after)

    async def scan(self, tenant: str, generation: str, cursor: int, limit: int) -> tuple[int, Sequence[str]]:
        site = self._sites.get(tenant)
        if site is not None and site.building.generation == generation:
            return await site.store.scan(tenant, generation, cursor, limit)
        return await super().scan(tenant, generation, cursor, limit)

    async def ticket_count(self, tenant: str, generation: str) -> int:
        site = self._sites.get(tenant)
        if site is not None and site.building.generation == generation:
            return await site.store.ticket_count(tenant, generation)
        return await super().ticket_count(tenant, generation)

    async def memory(self, bucket: Bucket) -> Memory:
        return self.limits

    def _of(self, building: Building) -> _Site | None:
        site = self._sites.get(building.tenant)
        return site if site is not None and site.building.generation == building.generation else None


def _is_based_on(new: Building, serving: StoredTenant) -> bool:
    return (new.base, new.record_version) == (serving.generation, serving.record_version)


def _unready(building: Building, state: BucketState, first_due: Instant | None, latest: Instant) -> str | None:
    """Why it doesn't stand where the bucket stands; None when it does."""
    own = building.state
    if state.topic not in ("", own.topic):
        return OTHER_TOPIC
    if any(position > state.positions.get(partition, 0) for partition, position in own.positions.items()):
        return AHEAD
    if any(own.positions.get(partition, 0) < position for partition, position in state.positions.items()):
        return BEHIND
    if own.timers is not None and (state.timers is None or own.timers > state.timers):
        return AHEAD
    if first_due is not None and state.timers is not None and first_due <= state.timers:
        return DUE
    return LAPSED if building.merged_from is not None and building.merged_from <= latest else None


def _counts(kept: Kept) -> dict[int, int]:
    return column_changes(kept.counters.get(EVERYONE, {}).get("", {}))
