"""Reads the events topic between given offsets, outside any consumer group. Never reads ahead on its own."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.errors import LogSilent
from consumers.fetching.batches import Read
from service.store.ports.catalogue import Position

POLL_MS = 200
"""Longest wait for records in one poll."""

SILENT_S = 10.0
"""After so long without a record that must exist, the broker counts as unreachable."""


class EventsLog:
    """A reader of the events topic. Keeps the fetched records of each partition until `read` returns them."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic
        self._fetched: dict[int, deque[Read]] = {}

    async def beginnings(self, partitions: Iterable[int]) -> Mapping[int, Position]:
        """Returns the first offset of each partition that the broker still has. Raises KafkaError."""
        wanted = [TopicPartition(self._topic, number) for number in partitions]
        found: dict[TopicPartition, Position] = await self._consumer.beginning_offsets(wanted)
        return {tp.partition: offset for tp, offset in found.items()}

    async def seek(self, positions: Mapping[int, Position]) -> None:
        """Sets the next offset of each partition, and reads only these partitions. Keeps matching fetched records."""
        wanted = {TopicPartition(self._topic, partition): offset for partition, offset in positions.items()}
        if self._consumer.assignment() != wanted.keys():
            self._consumer.assign(list(wanted))
            self._fetched = {}
        for tp, offset in wanted.items():
            if tp.partition not in self._fetched or await self._next(tp.partition) != offset:
                self._consumer.seek(tp, offset)
                self._fetched[tp.partition] = deque()

    async def read(self, below: Mapping[int, Position], limit: int) -> tuple[list[Read], Mapping[int, Position]]:
        """Returns at most `limit` records below these offsets, and the offset that each partition has reached.

        Raises LogSilent, and KafkaError: OffsetOutOfRangeError when the log no longer has the next record.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + SILENT_S
        while True:
            taken = self._taken(below, limit)
            reached = {partition: min(await self._next(partition), end) for partition, end in below.items()}
            missing = [partition for partition, end in below.items() if reached[partition] < end]
            if taken or not missing:
                return taken, reached
            if loop.time() >= give_up:
                raise LogSilent(f"no records from partition {missing[0]} for {SILENT_S:.0f} s")
            await self._fetch(missing, limit)

    async def _fetch(self, partitions: list[int], limit: int) -> None:
        wanted = [TopicPartition(self._topic, partition) for partition in partitions]
        batches = await self._consumer.getmany(*wanted, timeout_ms=POLL_MS, max_records=limit)
        for tp, records in batches.items():
            self._fetched[tp.partition].extend(records)

    def _taken(self, below: Mapping[int, Position], limit: int) -> list[Read]:
        taken: list[Read] = []
        for partition, end in below.items():
            fetched = self._fetched[partition]
            while fetched and fetched[0].offset < end and len(taken) < limit:
                taken.append(fetched.popleft())
        return taken

    async def _next(self, partition: int) -> Position:
        """Returns the offset of the record that `read` returns next."""
        fetched = self._fetched[partition]
        if fetched:
            return int(fetched[0].offset)
        return int(await self._consumer.position(TopicPartition(self._topic, partition)))
