"""Tells health what only the clients know: that the loop turns, and when the last fetches succeeded."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.assignment import Assignment
from consumers.catalogue_reader import CatalogueReader
from consumers.health import Health

BEAT_S = 0.5
"""Well below the time within which a failure has to be said."""


async def pulse(
    health: Health,
    reader: CatalogueReader,
    assignment: Assignment,
    events: AIOKafkaConsumer,
    catalogue: AIOKafkaConsumer,
) -> None:
    """Reports for ever."""
    while True:
        health.alive()
        health.catalogue_read = reader.readable.is_set()
        ages = [_age_s(events, tp) for tp in assignment.ready | assignment.waiting]
        # A consumer may have no partition; then the catalogue says whether the broker answers.
        ages += [_age_s(catalogue, tp) for tp in catalogue.assignment()]
        known = [age for age in ages if age is not None]
        if known and len(known) == len(ages):
            health.fetched(max(known))
        await asyncio.sleep(BEAT_S)


def _age_s(consumer: AIOKafkaConsumer, tp: TopicPartition) -> float | None:
    if tp not in consumer.assignment():
        return None
    fetched_ms = consumer.last_poll_timestamp(tp)
    return None if fetched_ms is None else max(0.0, time.time() - fetched_ms / 1000)
