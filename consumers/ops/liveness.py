"""Reports to the health server: loop progress, fetch age, and open transactions. Never decides about readiness."""

import asyncio
import time

from aiokafka import TopicPartition

from consumers.catalogue_sync.catalogue_reader import CatalogueReader
from consumers.ingest.assignment import Assignment
from consumers.kafka.fetches import Fetch, Fetches
from consumers.ops.health import Health

BEAT_S = 0.5
"""Pause between two reports: well below `LATEST_S` of the health server."""


class Liveness:
    """Watches a consumer's two clients, for the events and for the catalogue's single partition."""

    def __init__(
        self,
        health: Health,
        reader: CatalogueReader,
        assignment: Assignment,
        events: Fetches,
        catalogue: Fetches,
        catalogue_partition: TopicPartition,
    ) -> None:
        self._health = health
        self._reader = reader
        self._assignment = assignment
        self._events = events
        self._catalogue = catalogue
        self._catalogue_partition = catalogue_partition
        self._held_up: dict[TopicPartition, tuple[int, float]] = {}
        """By partition with an open transaction: its first offset, and when this object first saw it."""

    async def run(self) -> None:
        """Reports every `BEAT_S`, for ever."""
        while True:
            self.beat(time.monotonic())
            await asyncio.sleep(BEAT_S)

    def beat(self, now_s: float) -> None:
        """Reports once. `now_s` is `time.monotonic()`."""
        self._health.alive()
        self._health.catalogue_read = self._reader.readable.is_set()
        fetches = {tp: self._events.last(tp) for tp in self._assignment.ready | self._assignment.waiting}
        # A consumer without partitions still fetches the catalogue, which shows whether the broker answers.
        fetches[self._catalogue_partition] = self._catalogue.last(self._catalogue_partition)
        known = {tp: fetch for tp, fetch in fetches.items() if fetch is not None}
        if len(known) == len(fetches):
            self._health.fetched(now_s - min(fetch.at_s for fetch in known.values()))
        self._note_held_up(known, now_s)

    def _note_held_up(self, fetches: dict[TopicPartition, Fetch], now_s: float) -> None:
        open_at = {tp: fetch.stable for tp, fetch in fetches.items() if fetch.stable < fetch.end}
        self._held_up = {
            tp: self._held_up[tp] if self._held_up.get(tp, (-1,))[0] == stable else (stable, now_s)
            for tp, stable in open_at.items()
        }
        longest = min(self._held_up.items(), key=lambda item: item[1][1], default=None)
        if longest is None:
            self._health.held_up("", now_s)
            return
        tp, (stable, since_s) = longest
        self._health.held_up(f"{tp.topic} partition {tp.partition} from offset {stable} on", since_s)
