"""aiokafka's consumer with a fetcher that no record can stop. All that reads records here reads them by this."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.fetching.batches import Read
from consumers.fetching.fetcher import CheckedFetcher, Ended
from consumers.types import Note


class RecordReader(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka ships no types
    """Hands out FlawedRecords beside records; a batch may have `largest_batch_bytes` when it is unpacked.

    `note` is told of partitions that brokers refuse to hand out, and of their return.
    """

    def __init__(self, *topics: str, largest_batch_bytes: int, note: Note | None = None, **settings: Any) -> None:
        self._largest_batch_bytes = largest_batch_bytes
        self._note = note
        self._fetcher: Any = None
        super().__init__(*topics, **settings)

    async def start(self) -> None:
        """As aiokafka's. Raises KafkaError."""
        await super().start()
        await self._fetcher.close()
        self._fetcher = CheckedFetcher(
            self._client,
            self._subscription,
            fetch_min_bytes=self._fetch_min_bytes,
            fetch_max_bytes=self._fetch_max_bytes,
            fetch_max_wait_ms=self._fetch_max_wait_ms,
            max_partition_fetch_bytes=self._max_partition_fetch_bytes,
            fetcher_timeout=self._consumer_timeout,
            retry_backoff_ms=self._retry_backoff_ms,
            auto_offset_reset=self._auto_offset_reset,
            isolation_level=self._isolation_level,
            largest_batch_bytes=self._largest_batch_bytes,
            note=self._note,
        )

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None, held_bytes: int = 0
    ) -> Mapping[TopicPartition, Sequence[Read]]:
        """As aiokafka's. Raises KafkaError, and Ended after a fault of the client's.

        `held_bytes`: what the caller still holds of records from earlier polls. This one gives as much less.
        """
        coordination = getattr(self._coordinator, "_coordination_task", None)  # only a group has one
        if coordination is not None and coordination.done() and not self._closed:
            raise Ended("the client is in its group no more") from coordination.exception()
        self._fetcher.begin_poll(held_bytes)
        found: Mapping[TopicPartition, Sequence[Read]] = await super().getmany(
            *partitions, timeout_ms=timeout_ms, max_records=max_records
        )
        return found
