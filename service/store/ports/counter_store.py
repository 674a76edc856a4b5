"""The whole port of the consumers, implemented by the Redis store and the in-memory fake. Holds types only."""

from typing import Protocol

from service.store.ports.backfill import BackfillStore, DemandStore, LeaseStore, OrphanStore
from service.store.ports.reading import CounterReader
from service.store.ports.steps import TimerStore
from service.store.ports.unknown_ids import UnknownIdStore


class CounterStore(
    CounterReader, TimerStore, BackfillStore, DemandStore, OrphanStore, LeaseStore, UnknownIdStore, Protocol
):
    """All that a consumer process does with the store. Name a narrower port in a signature where one is enough."""
