"""Sends records as a publisher must that can't lose one: what isn't acknowledged is sent again. Makes no record."""

import asyncio
from collections import deque

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.oracle.generated.choices import Choices
from tests.oracle.published.records import Record
from tests.support.waiting import wait_until

REMEMBERED = 2_000
"""Latest records that may be sent again."""

FLUSHED_WITHIN_S = 60.0
"""A broker that is away comes back within seconds; its clients notice later."""


class Publisher:
    """One producer's way into one topic."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._latest: deque[Record] = deque(maxlen=REMEMBERED)
        self._open: dict[int, Record] = {}
        """What isn't acknowledged, by number, lowest first."""
        self._waiting: deque[int] = deque()
        self._under_way: dict[asyncio.Future[object], int] = {}
        self._pushing = asyncio.Lock()
        self.sent = 0
        """Records that were meant to get into the topic, each as often as it was meant to."""
        self.repeated = 0
        """Of them those that were sent before."""
        self.doubted = 0
        """Records whose acknowledgement didn't come, each as often as it didn't."""

    async def send(self, record: Record) -> None:
        """One more record, after those whose acknowledgement didn't come."""
        self.sent += 1
        self._latest.append(record)
        self._open[self.sent] = record
        self._waiting.append(self.sent)
        await self._push()

    async def repeat(self, choices: Choices, records: int) -> None:
        """Sends so many of the latest records again, in any order."""
        for record in choices.some(list(self._latest), min(records, len(self._latest)), records):
            self.repeated += 1
            await self.send(record)

    async def flush(self) -> None:
        """Returns when everything sent so far is acknowledged, whatever is sent meanwhile."""
        last = self.sent

        async def acknowledged() -> bool:
            await self._push()
            return next(iter(self._open), last + 1) > last

        await wait_until(acknowledged, FLUSHED_WITHIN_S, "the publisher's records to be acknowledged")

    def close(self) -> None:
        """Forgets what isn't acknowledged."""
        for future in self._under_way:
            future.remove_done_callback(self._settled)

    async def _push(self) -> None:
        async with self._pushing:
            while self._waiting:
                record = self._open[self._waiting[0]]
                key = b"" if record.value is None and record.key is None else record.key  # the client wants either
                try:
                    future = await self._producer.send(self._topic, record.value, key, headers=list(record.headers))
                except KafkaError:  # no room, or nobody to send it to
                    return
                self._under_way[future] = self._waiting.popleft()
                future.add_done_callback(self._settled)

    def _settled(self, future: asyncio.Future[object]) -> None:
        number = self._under_way.pop(future)
        if not future.cancelled() and future.exception() is None:
            del self._open[number]
        else:
            self.doubted += 1
            self._waiting.append(number)
