"""Where partitions go on: never beyond what the log has lost, unless an operator has said so for exactly that."""

import asyncio
from collections.abc import Collection, Mapping

import pytest
from aiokafka import TopicPartition

from consumers.engine.away import AwayBuckets
from consumers.errors import LogShrank, RetentionOvertook
from consumers.ingest import assignment
from consumers.ingest.assignment import Assignment
from consumers.metrics import ConsumerMetrics
from service.store.ports.steps import Batch, PartitionProgress
from tests.fakes.memory_store import MemoryStore

BUCKETS = 3
PARTITIONS = (0, 1)


class FakeConsumer:
    """Knows where each partition begins, and where it was told to go on."""

    def __init__(self, beginnings: Mapping[int, int]) -> None:
        self._beginnings = beginnings
        self.sought: dict[int, int] = {}
        self.answered_ms = 1
        """When a fetch was answered last."""

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(TopicPartition("events", number) for number in PARTITIONS)

    def pause(self, *partitions: TopicPartition) -> None:
        pass

    def resume(self, *partitions: TopicPartition) -> None:
        pass

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought[partition.partition] = offset

    def last_poll_timestamp(self, partition: TopicPartition) -> int:
        return self.answered_ms

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self._beginnings[tp.partition] for tp in partitions}


class Positioned:
    """An assignment of two partitions over a store whose buckets stand where a test says."""

    def __init__(self, beginnings: Mapping[int, int], accepted: Mapping[int, int] | None = None) -> None:
        self.consumer = FakeConsumer(beginnings)
        self.store = MemoryStore(BUCKETS)
        self.metrics = ConsumerMetrics()
        self.assignment = Assignment(
            self.consumer, AwayBuckets(self.store, "topic", range(BUCKETS), self.metrics), self.metrics, accepted or {}
        )

    async def stored(self, positions: Mapping[int, int], buckets: Collection[int] = range(BUCKETS)) -> None:
        for bucket in buckets:
            progress = {partition: PartitionProgress(None, position, 0) for partition, position in positions.items()}
            await self.store.apply(Batch(bucket, "topic", progress))

    async def starts(self) -> Mapping[int, int]:
        await self.assignment.on_partitions_assigned(sorted(self.consumer.assignment()))
        await self.assignment.position()
        return self.consumer.sought

    @property
    def lost(self) -> float:
        return float(self.metrics.lost_records._value.get())


async def test_each_partition_goes_on_at_the_lowest_position_of_all_buckets() -> None:
    one = Positioned({0: 4, 1: 0})
    await one.stored({0: 9, 1: 5}, [0])
    await one.stored({0: 4, 1: 7}, [1, 2])
    assert await one.starts() == {0: 4, 1: 5}
    assert one.lost == 0


async def test_a_partition_that_no_bucket_knows_begins_at_its_first_record() -> None:
    one = Positioned({0: 0, 1: 0})
    await one.stored({0: 9})
    assert await one.starts() == {0: 9, 1: 0}


async def test_a_log_that_begins_later_than_any_bucket_is_refused_with_all_that_is_missing() -> None:
    one = Positioned({0: 6, 1: 8})
    await one.stored({0: 9, 1: 5}, [0])
    await one.stored({0: 5, 1: 7}, [1, 2])
    with pytest.raises(RetentionOvertook) as refusal:
        await one.starts()
    assert "partition 0 begins at 6 and is counted up to 5, partition 1 begins at 8 and is counted up to 5" in str(
        refusal.value
    )
    assert "TICKET_COUNTS_ACCEPT_LOG_START=0:6,1:8 " in str(refusal.value)
    assert one.consumer.sought == {}, "none of the partitions runs"
    assert one.assignment.ready == set()


async def test_a_partition_that_one_bucket_knows_and_another_does_not_was_counted() -> None:
    one = Positioned({0: 1, 1: 0})
    await one.stored({0: 9, 1: 0}, [0, 1])
    with pytest.raises(RetentionOvertook, match="partition 0 begins at 1 and is counted up to 0"):
        await one.starts()


@pytest.mark.parametrize(("accepted", "taken"), [({0: 6}, True), ({0: 7}, True), ({0: 5}, False), ({1: 6}, False)])
async def test_a_loss_is_passed_over_where_it_was_accepted_to_that_offset(
    accepted: Mapping[int, int], taken: bool
) -> None:
    one = Positioned({0: 6, 1: 0}, accepted)
    await one.stored({0: 2, 1: 1})
    if taken:
        assert await one.starts() == {0: 6, 1: 1}
        assert one.lost == 4
    else:
        with pytest.raises(RetentionOvertook):
            await one.starts()
        assert one.lost == 0


async def test_a_store_that_has_nothing_takes_a_cut_log_from_where_it_begins_and_says_so() -> None:
    one = Positioned({0: 6, 1: 0})
    assert await one.starts() == {0: 6, 1: 0}
    assert one.lost == 6


async def test_a_store_that_was_emptied_meanwhile_does_not() -> None:
    one = Positioned({0: 6, 1: 0})
    await one.stored({0: 9, 1: 1})
    await one.starts()
    for state in one.store._states.values():
        state.positions.clear()
    with pytest.raises(RetentionOvertook, match="partition 0 begins at 6 and is counted up to 0"):
        await one.starts()


async def test_the_lag_of_partitions_that_others_have_now_is_forgotten() -> None:
    one = Positioned({0: 0, 1: 0})
    one.metrics.lag.labels(7).set(90_000)
    await one.starts()
    assert next(iter(one.metrics.lag.collect())).samples == []


async def test_a_log_that_refuses_an_offset_has_shrunk_once_it_has_done_so_without_a_break(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Positioned({0: 0, 1: 0})
    tp = TopicPartition("events", 0)
    one.assignment.out_of_range({tp: 7})
    monkeypatch.setattr(assignment, "SHRANK_S", 0.001)
    await asyncio.sleep(0.01)
    one.consumer.answered_ms = 2
    one.assignment.out_of_range({tp: 7})  # it was read there since: an election, and some time later another one
    await asyncio.sleep(0.01)
    one.assignment.out_of_range({tp: 8})
    await asyncio.sleep(0.01)
    with pytest.raises(LogShrank, match="partition 0 ends before 8"):
        one.assignment.out_of_range({tp: 8})
