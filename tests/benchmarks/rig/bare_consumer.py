"""The bare loop that ingest is compared with: takes every record of a topic, touches its length, does nothing else."""

import asyncio
import json
import sys
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.ingest.poll import POLL_MS
from consumers.kafka.clients import FETCH_BYTES
from consumers.settings import ConsumerSettings


async def main(settings: ConsumerSettings, events: int) -> dict[str, float]:
    """CPU and wall seconds from the first poll until `events` records were taken.

    By aiokafka's own client: what the product's checks of batches cost belongs to the whole path.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        auto_offset_reset="none",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(settings.events_topic, number) for number in range(settings.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        taken = length = 0
        began, began_cpu = time.perf_counter(), time.process_time()
        while taken < events:
            batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=settings.batch_records)
            for records in batches.values():
                for record in records:
                    length += len(record.value)
                taken += len(records)
        return {
            "events": taken,
            "bytes": length,
            "cpu_s": time.process_time() - began_cpu,
            "wall_s": time.perf_counter() - began,
        }
    finally:
        await consumer.stop()


if __name__ == "__main__":
    bootstrap, topic, partitions, events = sys.argv[1:]
    found = asyncio.run(
        main(ConsumerSettings(kafka=bootstrap, events_topic=topic, partitions=int(partitions)), int(events))
    )
    print(json.dumps(found))
