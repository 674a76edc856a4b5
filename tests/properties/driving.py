"""Drives a random world through one or two consumers in a random interleaving. Judges nothing but the end of work."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from service.store.ports.auditing import AuditAsk, AuditRead, Repair
from service.store.ports.building import Building, SwapOutcome
from service.store.ports.catalogue import StoredTenant
from service.store.ports.counter_store import CounterStore
from service.store.ports.steps import Batch, Loaded, Outcome
from tests.fakes.memory_building import MemoryBuildingStore
from tests.oracle.generated.choices import Choices
from tests.oracle.generated.worlds import World
from tests.oracle.published.log import laid_out
from tests.oracle.published.records import Record
from tests.support.pipeline import CatalogueTopic, FakeProducer, Pipeline, buckets_of

SECOND_US = 1_000_000
JUMPS_US = (1, *(seconds * SECOND_US for seconds in (1, 900, 5 * 3_600, 86_400, 20 * 86_400, 40 * 86_400)))
"""By which time goes on: past nothing, past a quarter of an hour, past a midnight, past every window's reach."""

SWEPT_S = 20.0
"""Far longer than any backfill of a few tickets; whoever held a lease and is gone holds it for milliseconds."""


class InterleavedStore(MemoryBuildingStore):
    """A memory store whose callers take turns around each call, as they do on a network."""

    def __init__(self, choices: Choices, buckets: int) -> None:
        super().__init__(buckets, count().__next__)  # a millisecond passes between two looks at the clock
        self._choices = choices

    async def _turns(self) -> None:
        for _ in range(self._choices.integer(0, 2)):
            await asyncio.sleep(0)

    async def load(self, bucket: int, tickets: Mapping[str, Sequence[str]], generations: Mapping[str, str]) -> Loaded:
        await self._turns()
        loaded = await super().load(bucket, tickets, generations)
        await self._turns()
        return loaded

    async def apply(self, batch: Batch) -> Outcome:
        await self._turns()
        outcome = await super().apply(batch)
        await self._turns()
        return outcome

    async def tenant(self, tenant: str) -> StoredTenant | None:
        await self._turns()
        stored = await super().tenant(tenant)
        await self._turns()
        return stored

    async def audit(self, ask: AuditAsk) -> AuditRead | None:
        await self._turns()
        read = await super().audit(ask)
        await self._turns()
        return read

    async def repair(self, repair: Repair) -> int | None:
        await self._turns()
        return await super().repair(repair)

    async def scan(self, tenant: str, generation: str, cursor: int, limit: int) -> tuple[int, Sequence[str]]:
        await self._turns()
        return await super().scan(tenant, generation, cursor, limit)

    async def load_building(self, building: Building, tickets: Sequence[str]) -> Loaded:
        await self._turns()
        loaded = await super().load_building(building, tickets)
        await self._turns()
        return loaded

    async def apply_building(self, batch: Batch) -> Outcome:
        await self._turns()
        outcome = await super().apply_building(batch)
        await self._turns()
        return outcome

    async def swap(self, building: Building, record_version: str, latest: int) -> SwapOutcome:
        await self._turns()
        outcome = await super().swap(building, record_version, latest)
        await self._turns()
        return outcome


@dataclass(slots=True)
class Drive:
    """A world on its way through the consumers."""

    world: World
    store: CounterStore
    choices: Choices
    topic: CatalogueTopic = field(default_factory=CatalogueTopic)
    producer: FakeProducer = field(default_factory=FakeProducer)
    catalogue: list[Mapping[str, Any]] = field(default_factory=list)
    log: list[Record] = field(default_factory=list)
    workers: list[Pipeline] = field(default_factory=list)
    cursors: dict[int, int] = field(default_factory=dict)
    edits_left: list[Mapping[str, Any]] = field(default_factory=list)
    now_us: int = 0
    """What the workers' clocks say; it jumps, and ends at the world's own instant."""
    partitions: dict[int, list[Record]] = field(default_factory=dict)

    def prepare(self) -> None:
        """Lays the log out, publishes some of the catalogue and keeps the rest for later."""
        self.log = laid_out(self.world.log, self.choices.integer(1, 3), is_binary=lambda index: self.choices.chance(50))
        for record in self.log:
            self.partitions.setdefault(record.partition, []).append(record)
        self.cursors = dict.fromkeys(self.partitions, 0)
        self.now_us = self.world.now_us - self.choices.pick((0, 0, *JUMPS_US))
        self._plan_catalogue()
        self.workers = [self._worker() for _ in range(self.choices.integer(1, 2))]

    def _plan_catalogue(self) -> None:
        """Each tenant is published at once, in half of the cases with other statuses; the rest may come later."""
        for item in self.world.catalogue:
            versions = [item]
            if item["kind"] == "tenant" and self.choices.chance(50):
                versions.insert(0, {"kind": "tenant", "value": with_other_statuses(item["value"])})
            if item["kind"] == "filter" and item["value"] and self.choices.chance(40):
                versions += [self._with_other_where(item), item]  # there and back again
            if item["kind"] == "tenant" or (self.choices.chance(50) and not self._waits(item)):
                self._publish(versions.pop(0))
            self.edits_left += versions

    def _waits(self, item: Mapping[str, Any]) -> bool:
        """Whether an older version of this entry is still to be published."""
        return any(identity(edit) == identity(item) for edit in self.edits_left)

    def _with_other_where(self, item: Mapping[str, Any]) -> dict[str, Any]:
        wheres = [one["value"]["where"] for one in self.world.catalogue if one["kind"] == "filter" and one["value"]]
        return {"kind": "filter", "value": {**item["value"], "where": self.choices.pick(wheres)}}

    def _worker(self) -> Pipeline:
        apply_events = self.choices.pick((1000, 3, 1))
        return Pipeline(self.store, self.topic, self.producer, self.now_us, apply_events=apply_events)

    def _publish(self, item: Mapping[str, Any]) -> None:
        self.catalogue.append(item)
        self.topic.publish(item)

    @property
    def done(self) -> bool:
        return not self.edits_left and all(self.cursors[p] == len(records) for p, records in self.partitions.items())

    async def some_steps(self) -> None:
        """What each worker does next, at once; a partition belongs to one worker."""
        if self.edits_left and self.choices.chance(40):
            for _ in range(self.choices.integer(1, len(self.edits_left))):
                self._publish(self.edits_left.pop(0))
        if self.choices.chance(30):
            self._set_clocks(min(self.now_us + self.choices.pick(JUMPS_US), self.world.now_us))
        if self.choices.chance(8):
            await self._restart(self.choices.integer(0, len(self.workers) - 1))
        await asyncio.gather(*(self._work(index, worker) for index, worker in enumerate(self.workers)))

    async def _work(self, index: int, worker: Pipeline) -> None:
        async with asyncio.TaskGroup() as tasks:
            if self.choices.chance(50):
                tasks.create_task(worker.catch_up())
            if self.choices.chance(50):
                tasks.create_task(worker.backfill())
            if self.choices.chance(50):
                tasks.create_task(worker.timers.look())
            for partition in self._mine(index):
                if self.choices.chance(10):  # read again what was read before, by one that doesn't know
                    worker.step.known.clear()
                    self.cursors[partition] = self.choices.integer(0, self.cursors[partition])
            tasks.create_task(worker.consume(self._next(index)))

    def _mine(self, index: int) -> list[int]:
        return [partition for partition in self.partitions if partition % len(self.workers) == index]

    def _next(self, index: int) -> list[Record]:
        records: list[Record] = []
        for partition in self._mine(index):
            start = self.cursors[partition]
            self.cursors[partition] = min(start + self.choices.integer(0, 6), len(self.partitions[partition]))
            records += self.partitions[partition][start : self.cursors[partition]]
        return records

    async def _restart(self, index: int) -> None:
        """A worker is replaced by one that knows nothing, and starts where the store says."""
        self.workers[index] = worker = self._worker()
        starts = await worker.starts(max(self.partitions, default=0) + 1)
        for partition in self._mine(index):
            self.cursors[partition] = starts[partition]

    def _set_clocks(self, now_us: int) -> None:
        """One worker's may be a little behind."""
        self.now_us = now_us
        for worker in self.workers:
            worker.clock.now = now_us - self.choices.pick((0, 0, 0, 1, 2_000_000))

    async def finish(self) -> None:
        """Everything published is learnt and backfilled, what is due is applied, idle buckets' positions are raised."""
        self._set_clocks(self.world.now_us)
        self.workers[0].clock.now = self.now_us
        for index, worker in enumerate(self.workers):
            await worker.catch_up()
            await worker.tick({p: len(self.partitions[p]) for p in self._mine(index)})
        await self.settle()

    async def settle(self) -> None:
        """Everything wanted has columns, and every column is filled."""
        async with asyncio.timeout(SWEPT_S):
            while await self.store.tenants_with_demands() or any(
                worker.catalogue_sync.to_backfill for worker in self.workers
            ):
                for worker in self.workers:
                    await worker.backfill()
                await asyncio.sleep(0)
            while not await self._all_fired():
                for worker in self.workers:
                    await worker.timers.look()
                await asyncio.sleep(0)

    async def _all_fired(self) -> bool:
        """Whether the timers of every bucket have come to the workers' clocks."""
        states = await self.store.states(range(buckets_of(self.store)))
        return all((state.timers or 0) >= self.now_us for state in states.values())


def with_other_statuses(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The tenant before somebody reordered its statuses and changed which of them are closed."""
    statuses = [{**status, "closed": not status["closed"]} for status in reversed(entry["statuses"])]
    return {**entry, "statuses": statuses[: max(1, len(statuses) - 1)], "priorities": entry["priorities"][1:]}


def identity(item: Mapping[str, Any]) -> tuple[str, str, str]:
    """Kind, tenant and id of a catalogue item."""
    named = item["value"] or item
    return item["kind"], named.get("tenant", ""), named["id"]
