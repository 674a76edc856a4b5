"""Large batches beside the event loop: others go on meanwhile, and none is lost, given twice or left behind."""

import asyncio
import struct
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

from consumers.fetching.batches import Allowance, Batches, Shared
from consumers.fetching.fetcher import CheckedFetcher
from consumers.fetching.flawed import FlawedRecord
from consumers.fetching.large import LARGE_BYTES
from tests.consumers.fetching.raw_batches import CONTROL, TRANSACTIONAL, Raw, batch
from tests.support.waiting import wait_until

BIG, OTHER = TopicPartition("ticket-events", 0), TopicPartition("ticket-events", 1)
ZEROS = b"\0" * (4 * LARGE_BYTES)
KINDS = {
    "large on the wire": batch(1, Raw(ZEROS)),
    "large when unpacked": batch(1, Raw(ZEROS), codec="gzip"),
    "many records": batch(1, *[Raw(b"%d" % n, None) for n in range(10_001)]),
}


class Broker:
    """As much of aiokafka's client as a fetcher asks for: two partitions, whose logs are batches."""

    def __init__(self, **logs: list[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._metadata_max_age_ms = 1_000
        self.cluster = SimpleNamespace(leader_for_partition=lambda _: 0, broker_metadata=lambda _: None)
        self.logs = {BIG: logs["big"], OTHER: logs["other"]}
        self.asked: list[tuple[TopicPartition, int]] = []

    async def send(self, node: int, request: Any) -> Any:
        await asyncio.sleep(0.001)
        ((topic, partitions),) = request.topics
        answers = [(number, 0, 99_999, 99_999, 0, None, -1, self._from(number, at)) for number, at, _ in partitions]
        return SimpleNamespace(API_VERSION=11, topics=[(topic, answers)])

    def _from(self, number: int, offset: int) -> bytes:
        tp = TopicPartition("ticket-events", number)
        self.asked.append((tp, offset))
        return b"".join(one for one in self.logs[tp] if last(one) >= offset)


def last(raw: bytes) -> int:
    return int.from_bytes(raw[:8], "big") + int.from_bytes(raw[23:27], "big")


class Gate:
    """Holds the thread until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open, self.threads = threading.Event(), list[threading.Thread]()
        read = Batches.read_large

        def held(batches: Batches, most_bytes: int) -> None:
            self.threads.append(threading.current_thread())
            assert self.open.wait(30)
            read(batches, most_bytes)

        monkeypatch.setattr(Batches, "read_large", held)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Any:
    one = Gate(monkeypatch)
    yield one
    one.open.set()


@asynccontextmanager
async def opened(broker: Broker) -> AsyncIterator[tuple[CheckedFetcher, SubscriptionState]]:
    subscriptions = SubscriptionState()
    subscriptions.assign_from_user([BIG, OTHER])
    for tp in (BIG, OTHER):
        subscriptions.seek(tp, 0)
    fetcher = CheckedFetcher(
        broker,
        subscriptions,
        auto_offset_reset="none",
        retry_backoff_ms=1,
        prefetch_backoff=0.001,
        fetch_max_wait_ms=500,
        fetcher_timeout=0.01,
        isolation_level="read_committed",
        largest_batch_bytes=64 << 20,
        note=None,
    )
    try:
        yield fetcher, subscriptions
    finally:
        await fetcher.close()


class Taken:
    """What polls have given, by partition."""

    def __init__(self, fetcher: CheckedFetcher) -> None:
        self._fetcher = fetcher
        self.offsets: dict[TopicPartition, list[int]] = {BIG: [], OTHER: []}
        self.flaws: list[str] = []

    async def until(self, enough: Callable[[], bool]) -> None:
        async def is_enough() -> bool:
            self._fetcher.begin_poll()
            for tp, records in (await self._fetcher.fetched_records((), 0.01, 500)).items():
                self.offsets[tp] += [record.offset for record in records]
                self.flaws += [record.flaw for record in records if isinstance(record, FlawedRecord)]
            return enough()

        await wait_until(is_enough, 20, "records")


def world(kind: str) -> Broker:
    large = KINDS[kind]
    after = last(large) + 1
    return Broker(big=[batch(0, Raw()), large, batch(after, Raw(), Raw())], other=[batch(0, Raw())])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_large_batch_is_read_beside_the_loop_and_others_go_on_meanwhile(kind: str, gate: Gate) -> None:
    broker = world(kind)
    end = last(broker.logs[BIG][-1])
    async with opened(broker) as (fetcher, _):
        taken = Taken(fetcher)
        await taken.until(lambda: bool(gate.threads))
        for offset in range(1, 4):
            broker.logs[OTHER].append(batch(offset, Raw()))
        await taken.until(lambda: taken.offsets[OTHER] == [0, 1, 2, 3])
        assert taken.offsets[BIG] == [0], "what is before it is given at once, nothing of it and nothing after it"
        broker.asked.clear()
        broker.logs[OTHER].append(batch(4, Raw()))
        await taken.until(lambda: 4 in taken.offsets[OTHER])
        assert all(tp != BIG for tp, _ in broker.asked), "it is not fetched again while it is read"
        gate.open.set()
        await taken.until(lambda: end in taken.offsets[BIG])
        assert taken.offsets[BIG] == list(range(end + 1))
        assert all(at > end for tp, at in broker.asked if tp == BIG), "nor afterwards: the answer has the rest"
        assert threading.main_thread() not in gate.threads
        await wait_until(lambda: not fetcher._preparing and not fetcher._aside, 5, "nothing to be left")


def test_what_is_aborted_is_so_before_and_after_a_large_batch() -> None:
    abort = struct.pack(">hh", 0, 0)
    log = [
        batch(0, Raw(), attributes=TRANSACTIONAL, producer=1),
        batch(1, Raw(ZEROS), attributes=TRANSACTIONAL, producer=2),
        batch(2, Raw(), attributes=TRANSACTIONAL, producer=1),
        batch(3, Raw(ZEROS), attributes=TRANSACTIONAL, producer=1),
        batch(4, Raw(b"", abort), attributes=TRANSACTIONAL | CONTROL, producer=1),
        batch(5, Raw(ZEROS), attributes=TRANSACTIONAL, producer=1),
        batch(6, Raw()),
    ]
    put_aside: list[Batches] = []
    shared = Shared(Allowance(64 << 20), 64 << 20)
    batches = Batches(BIG, b"".join(log), [(1, 0)], 0, 7, READ_COMMITTED, shared, put_aside.append)
    found = [record.offset for record in batches]
    while put_aside:
        put_aside.pop().read_large(64 << 20)
        found += [record.offset for record in batches]
    assert (found, batches.next_fetch_offset) == ([1, 5, 6], 7)


async def test_an_older_message_that_unfolds_without_end_is_one_flawed_record(gate: Gate) -> None:
    builder = LegacyRecordBatchBuilder(1, 1, 1 << 30)
    builder.append(0, 1, None, b"\0" * (65 << 20))
    broker = Broker(big=[], other=[])
    raw = bytes(builder.build())
    broker._from = lambda number, offset: raw if number == 0 and offset == 0 else b""  # type: ignore[method-assign]
    gate.open.set()
    async with opened(broker) as (fetcher, _):
        taken = Taken(fetcher)
        await taken.until(lambda: bool(taken.offsets[BIG]))
        assert "more than 67,108,864 bytes" in taken.flaws[0]


async def test_a_seek_while_it_is_read_gives_what_is_sought_and_nothing_twice(gate: Gate) -> None:
    broker = world("large on the wire")
    async with opened(broker) as (fetcher, _):
        taken = Taken(fetcher)
        await taken.until(lambda: bool(gate.threads))
        fetcher.seek_to(BIG, 2)
        await taken.until(lambda: 3 in taken.offsets[BIG])
        gate.open.set()
        await wait_until(lambda: not fetcher._preparing and not fetcher._aside, 5, "nothing to be left")
        await taken.until(lambda: True)
        assert taken.offsets[BIG] == [0, 2, 3]


async def test_a_pause_while_it_is_read_keeps_it_for_later(gate: Gate) -> None:
    broker = world("large when unpacked")
    async with opened(broker) as (fetcher, subscriptions):
        taken = Taken(fetcher)
        await taken.until(lambda: bool(gate.threads))
        subscriptions.pause(BIG)
        gate.open.set()
        await taken.until(lambda: not fetcher._preparing)
        assert taken.offsets[BIG] == [0]
        subscriptions.resume(BIG)
        await taken.until(lambda: 3 in taken.offsets[BIG])
        assert taken.offsets[BIG] == [0, 1, 2, 3]


async def test_a_rebalance_while_it_is_read_forgets_it_and_reads_it_anew(gate: Gate) -> None:
    broker = world("large on the wire")
    async with opened(broker) as (fetcher, subscriptions):
        taken = Taken(fetcher)
        await taken.until(lambda: bool(gate.threads))
        subscriptions.unsubscribe()
        subscriptions.assign_from_user([BIG, OTHER])
        subscriptions.seek(BIG, 2)
        subscriptions.seek(OTHER, 1)
        await taken.until(lambda: 3 in taken.offsets[BIG])
        fetcher.seek_to(BIG, 1)
        gate.open.set()
        await taken.until(lambda: taken.offsets[BIG][-1] == 3 and 1 in taken.offsets[BIG])
        assert taken.offsets[BIG] == [0, 2, 3, 1, 2, 3]
        await wait_until(lambda: not fetcher._preparing and not fetcher._aside, 5, "nothing to be left")


async def test_closing_while_it_is_read_waits_for_nobody(gate: Gate) -> None:
    async with opened(world("large on the wire")) as (fetcher, _):
        await Taken(fetcher).until(lambda: bool(gate.threads))
        await asyncio.wait_for(fetcher.close(), 2)
        assert not fetcher._preparing
