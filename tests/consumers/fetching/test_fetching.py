"""The fetcher over a broker that refuses: each error of an answer is retried or raised, by the table, and named."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import (
    CorruptRecordException,
    KafkaConnectionError,
    KafkaError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    UnknownError,
    for_code,
)

from consumers.fetching.fetcher import CheckedFetcher, Ended
from consumers.types import Note
from tests.consumers.fetching.raw_batches import Raw, batch
from tests.support.waiting import wait_until

TP = TopicPartition("ticket-events", 3)
DATA = batch(0, Raw(b"a"), Raw(b"b"))
NEXT_KNOWN_CODE = 9_999
"""None that anybody has: brokers of tomorrow have codes that today's clients don't know."""


class Broker:
    """As much of aiokafka's client as a fetcher asks for. Answers with one code after another, then with records.

    While `always` is set, it answers with that code.
    """

    always = 0

    def __init__(self, *codes: int | Exception) -> None:
        self._loop = asyncio.get_running_loop()
        self._metadata_max_age_ms = 1_000
        self.cluster = SimpleNamespace(leader_for_partition=lambda _: 0, broker_metadata=lambda _: None)
        self._codes = list(codes)
        self.asked = 0

    async def send(self, node: int, request: Any) -> Any:
        await asyncio.sleep(0.001)
        self.asked += 1
        code = self._codes.pop(0) if self._codes else self.always
        if isinstance(code, Exception):
            raise code
        ((topic, ((partition, offset, _),)),) = request.topics
        data = DATA if code == 0 and offset < 2 else b""
        return SimpleNamespace(API_VERSION=11, topics=[(topic, [(partition, code, 2, 2, 0, None, -1, data)])])

    def force_metadata_update(self) -> "asyncio.Future[None]":
        return self._loop.create_future()


@asynccontextmanager
async def fetching(broker: Broker, note: Note | None = None) -> AsyncIterator[CheckedFetcher]:
    """A fetcher at the start of the partition."""
    subscriptions = SubscriptionState()
    subscriptions.assign_from_user([TP])
    subscriptions.seek(TP, 0)
    fetcher = CheckedFetcher(
        broker,
        subscriptions,
        fetch_max_wait_ms=500,
        auto_offset_reset="none",
        retry_backoff_ms=1,
        prefetch_backoff=0.001,
        isolation_level="read_committed",
        largest_batch_bytes=1 << 20,
        note=note,
    )
    try:
        yield fetcher
    finally:
        with suppress(KafkaError):  # what its task has ended with
            await fetcher.close()


async def polled(fetcher: CheckedFetcher) -> Sequence[Any]:
    fetcher.begin_poll()
    found = await fetcher.fetched_records((), 0.05)
    return [record.value for records in found.values() for record in records]


async def until_read(fetcher: CheckedFetcher) -> None:
    found: list[Any] = []

    async def complete() -> bool:
        found.extend(await polled(fetcher))
        return found == [b"a", b"b"]

    await wait_until(complete, 10, "both records")


@pytest.mark.parametrize("code", [UnknownError.errno, NEXT_KNOWN_CODE, 3, 5, 6, 9, 56], ids=str)
async def test_an_error_that_passes_is_waited_for_and_named_meanwhile(code: int) -> None:
    broker = Broker()
    broker.always = code
    noted: list[tuple[str, str]] = []
    async with fetching(broker, lambda part, cause: noted.append((part, cause))) as fetcher:
        await wait_until(lambda: broker.asked >= 3, 10, "some tries")
        assert await polled(fetcher) == []
        assert set(noted) == {("fetching ticket-events", f"partition 3 is refused: {for_code(code).__name__}")}
        broker.always = 0
        await until_read(fetcher)
        assert noted[-1] == ("fetching ticket-events", "")


async def test_a_broker_that_is_away_is_waited_for() -> None:
    async with fetching(Broker(KafkaConnectionError(), KafkaConnectionError())) as fetcher:
        await until_read(fetcher)


@pytest.mark.parametrize("error", [TopicAuthorizationFailedError, CorruptRecordException, OffsetOutOfRangeError])
async def test_an_error_that_no_retry_cures_is_raised_by_the_next_poll(error: type[KafkaError]) -> None:
    async with fetching(Broker(error.errno)) as fetcher:
        with pytest.raises(error):
            await wait_until(lambda: _never(fetcher), 10, "the error")
        await until_read(fetcher)


async def _never(fetcher: CheckedFetcher) -> bool:
    await polled(fetcher)
    return False


async def test_closing_it_while_it_waits_to_try_again_cancels_nobody_else() -> None:
    broker = Broker()
    broker.always = UnknownError.errno
    async with fetching(broker) as fetcher:
        fetcher._retry_backoff = 60
        await wait_until(lambda: broker.asked, 10, "a try")
        for _ in range(20):
            await asyncio.sleep(0.001)
        await fetcher.close()


async def test_a_client_that_has_ended_by_itself_is_not_polled_for_ever() -> None:
    broker = Broker()
    broker.cluster.leader_for_partition = None  # a fault: it is called
    async with fetching(broker) as fetcher:
        with pytest.raises(Ended):
            await wait_until(lambda: _never(fetcher), 10, "the end to be said")
