"""Decodes fetched records, groups their events by bucket, and applies them. Uses no Kafka client."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from consumers.decoding.event_record import decode
from consumers.engine.away import AwayBuckets, gathered
from consumers.engine.event_step import EventStep
from consumers.engine.rewinding import went_back
from consumers.engine.tenants import Tenants
from consumers.errors import Rewind
from consumers.fetching.flawed import FlawedRecord
from consumers.types import Goal, Incoming, Letter, Parking, Place
from service.domain.tickets.event import PoisonEvent
from service.store.ports.catalogue import Bucket, Position
from service.store.ports.errors import StoreUnavailable
from service.store.ports.steps import BucketState, StorePlacement
from service.store.ports.unknown_ids import UnknownIdStore

YIELD_EVERY = 500
"""Records decoded, in some 10 ms, before other tasks get a turn, such as the consumer group's heartbeat."""

LETTERS_AT_ONCE = 50
"""Most dead letters of one partition before other partitions get a turn: each takes a fraction of a millisecond to log
and send."""

EventsByBucket = dict[Bucket, list[Incoming]]


class DecodedBatch(msgspec.Struct):
    """Consecutive records of one partition, decoded and grouped by bucket."""

    first: Position
    """Offset of the first record."""
    end: Position
    """The partition's position once all of these records are applied."""
    newest_ms: int
    """Timestamp of the last record."""
    records: int
    by_bucket: EventsByBucket
    """Includes a bucket without events when it has to store the position anyway."""
    letters: list[Place]
    """Dead letters that must be acknowledged before the position is raised."""


class _Destination(msgspec.Struct, frozen=True, gc=False):
    """The target of the events that one tenant has in one partition."""

    incoming: list[Incoming]
    applied: Position
    """The position of the tenant's bucket: it has applied all events below."""
    is_unknown: bool = False
    """Whether the catalogue has no tenant of this name."""


class ProcessorStore(StorePlacement, UnknownIdStore, Protocol):
    """Places tenants in buckets and keeps unknown ids."""


class BatchProcessor:
    """Applies batches of records. Each partition's records have to come in offset order."""

    def __init__(
        self,
        store: ProcessorStore,
        step: EventStep,
        tenants: Tenants,
        dead_letters: Parking,
        away: AwayBuckets,
        apply_events: int,
    ) -> None:
        """`apply_events`: most events of one script call."""
        self._store = store
        self._step = step
        self._tenants = tenants
        self.dead_letters = dead_letters
        self._away = away
        self._apply_events = apply_events
        self._read_before: dict[int, Position] = {}
        """By partition, the highest position of any bucket: records below it were read before."""
        self._validated: dict[int, Position] = {}
        """By partition, the end of the records that the flood guard has counted. Read again, they don't count twice."""

    def start_at(self, states: Mapping[Bucket, BucketState], partitions: Collection[int]) -> None:
        """Takes over new positions: `states` are those of the buckets that aren't away, for the assigned partitions.

        Raises Rewind when a bucket that was away has a lower position than the one stored there before.
        """
        lost = went_back({bucket: states[bucket] for bucket in self._away.returned}, self._step.known)
        if lost:  # after a failover to a replica without the latest writes
            bucket = min(lost)
            raise Rewind(bucket, states[bucket].positions)
        for partition in partitions:
            positions = (state.positions.get(partition, 0) for state in states.values())
            self._read_before[partition] = max(positions, default=0)
        self._step.start_at(states, partitions)

    async def apply(self, by_bucket: Mapping[Bucket, Sequence[Incoming]], goals: Mapping[int, Goal]) -> None:
        """Applies the events of all buckets that aren't away concurrently; each bucket's events in order.

        Marks a bucket as away when its step raises StoreUnavailable. Once all buckets have ended, raises the first
        other error, or StoreUnavailable when no server is left.
        """
        live = {bucket: incoming for bucket, incoming in by_bucket.items() if bucket not in self._away}
        _, failed = await gathered({bucket: self._bucket(bucket, one, goals) for bucket, one in live.items()})
        self._away.leave(failed)

    async def tick(self, goals: Mapping[int, Goal]) -> None:
        """Raises positions and freshness of every bucket that isn't away, and stores new unknown ids."""
        if goals:
            await self.apply({bucket: [] for bucket in self._away.live}, goals)
        await self._step.unknown_ids.store(self._store, lambda tenant: self._store.bucket(tenant) in self._away)

    async def decoded_by_bucket(self, partition: int, records: Sequence[Letter], end: Position) -> DecodedBatch:
        """Decodes and groups records, and sends dead letters without waiting for their acknowledgements.

        Stops early after `LETTERS_AT_ONCE` dead letters; `DecodedBatch.records` is the number of records done. `end` is
        the position after all `records`. Raises Flood and StoreUnavailable.
        """
        self._tenants.forget_unknown()
        read_before, validated = self._read_before.get(partition, 0), self._validated.get(partition, 0)
        by_bucket: EventsByBucket = {}
        letters: list[Place] = []
        done = len(records)
        destinations: dict[str, _Destination] = {}  # per batch; the step notices later changes of a tenant
        good = 0
        for place, record in enumerate(records):
            if place % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
            if len(letters) >= LETTERS_AT_ONCE:
                done, end = place, record.offset
                break
            destination: _Destination | None = None
            try:
                if isinstance(record, FlawedRecord):
                    raise PoisonEvent(record.flaw)
                event = decode(record.key, record.value, record.headers, record.timestamp)
                destination = destinations.get(event.tenant)
                if destination is None:
                    destination = await self._destination(partition, event.tenant, by_bucket)
                    destinations[event.tenant] = destination
                if destination.is_unknown:
                    raise PoisonEvent(f"tenantid: no tenant {event.tenant} in the catalogue")
            except PoisonEvent as poison:
                self.dead_letters.good(good)
                good = 0
                # A record without a tenant has no bucket: any bucket's higher position means that it was read before.
                if record.offset >= (read_before if destination is None else destination.applied):
                    letters.append(await self.dead_letters.park(record, str(poison)))
                continue
            good += record.offset >= validated
            if record.offset >= destination.applied:
                destination.incoming.append(Incoming(partition, record.offset, event, record))
        self.dead_letters.good(good)
        last = records[done - 1]
        self._validated[partition] = max(validated, last.offset + 1)
        return DecodedBatch(records[0].offset, end, last.timestamp, done, by_bucket, letters)

    async def _destination(self, partition: int, tenant: str, by_bucket: EventsByBucket) -> _Destination:
        """Returns the tenant's target. Drops events of a bucket that is away: they are read again when it is back."""
        bucket = self._store.bucket(tenant)
        applied = self._step.known.get((bucket, partition), 0)
        try:
            if bucket not in self._away and not await self._tenants.synchronized([tenant]):
                by_bucket.setdefault(
                    bucket, []
                )  # raises its position past the record, so that the record is dead-lettered only once
                return _Destination([], applied, is_unknown=True)
        except StoreUnavailable as error:
            self._away.leave({bucket: error})
        return _Destination([] if bucket in self._away else by_bucket.setdefault(bucket, []), applied)

    async def _bucket(self, bucket: Bucket, incoming: Sequence[Incoming], goals: Mapping[int, Goal]) -> None:
        for part, reached in portions(incoming, goals, self._apply_events):
            await self._step.events(bucket, part, reached, self._away.patience_s)


def merge(by_bucket: EventsByBucket, part: DecodedBatch) -> None:
    """Adds the events of `part` to `by_bucket`."""
    for bucket, incoming in part.by_bucket.items():
        by_bucket.setdefault(bucket, []).extend(incoming)


def portions(
    incoming: Sequence[Incoming], goals: Mapping[int, Goal], size: int
) -> Iterator[tuple[Sequence[Incoming], Mapping[int, Goal]]]:
    """Splits a bucket's events into script calls of `size` events, each with the positions that are true after it.

    Example: events at offsets 3, 5 and 8 of partition 0, goal 10, size 2. The first call has 3 and 5 and stores
    position 8, the second has 8 and stores 10.
    """
    last = max(len(incoming) - 1, 0) // size
    for number in range(last + 1):
        part, rest = incoming[number * size : (number + 1) * size], incoming[(number + 1) * size :]
        reached = dict(goals)
        for one in reversed(rest):
            reached[one.partition] = Goal(one.offset, None)
        yield part, reached
