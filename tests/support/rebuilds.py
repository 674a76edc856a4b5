"""A rebuild's parts wired over any store and a log in memory: no Kafka, no clock of its own."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition

from consumers.rebuild.build_step import BuildStep
from consumers.rebuild.events_log import EventsLog
from consumers.rebuild.filling import Filling
from consumers.rebuild.memory_budget import MemoryBudget
from consumers.rebuild.rebuilding import Rebuilding
from service.store.ports.building import BuildingStore
from tests.oracle.published.records import Record
from tests.support.pipeline import TIMESTAMP_MS, TOPIC_ID, KafkaRecord, SetClock, buckets_of


@dataclass(slots=True)
class LogOf:
    """Partitions as the rebuild's Kafka client would hand them out."""

    partitions: Mapping[int, Sequence[Record]]
    positions: dict[TopicPartition, int] = field(default_factory=dict)

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self.positions)

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        self.positions = dict.fromkeys(partitions, -1)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> Mapping[TopicPartition, deque[KafkaRecord]]:
        batches: dict[TopicPartition, deque[KafkaRecord]] = {}
        for tp in partitions:
            log, start = self.partitions.get(tp.partition, []), self.positions[tp]
            assert start >= 0, "fetched before it was positioned"
            batches[tp] = deque(
                KafkaRecord(one.partition, one.offset, one.key, one.value, one.headers, TIMESTAMP_MS)
                for one in log[start : start + max_records]
            )
            self.positions[tp] = start + len(batches[tp])
        return batches


def rebuilding_over(
    store: BuildingStore,
    partitions: Mapping[int, Sequence[Record]],
    now_us: int,
    said: list[str],
    *,
    from_store: bool = False,
    at_once: int = 1000,
    beginnings: Mapping[int, int] | None = None,
) -> Rebuilding:
    """One process that rebuilds; what it says is appended to `said`."""
    clock = SetClock(now_us)
    step, room = BuildStep(store, clock), MemoryBudget(store, buckets_of(store))
    log = EventsLog(LogOf(partitions), "ticket-events")
    filling = Filling(store, log, step, room, said.append, batch_records=at_once, apply_events=at_once)
    return Rebuilding(store, filling, step, clock, TOPIC_ID, beginnings or {}, said.append, from_store=from_store)
