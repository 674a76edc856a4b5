"""What the memory store keeps, and sums over it. Pure: asks for nothing and promises nothing."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from service.domain.counting.contributions import column_changes
from service.domain.counting.scopes import parts_of
from service.domain.tickets.ticket import Instant, TimeBucket
from service.store.apply_plan import timed_fields
from service.store.ports.auditing import StoredCounter
from service.store.ports.catalogue import Position, StoredTenant
from service.store.ports.reading import Window
from service.store.ports.steps import StoredTicket

Counter = dict[str, dict[int, int]]
"""part -> mask -> tickets."""

TimedCounter = dict[str, dict[TimeBucket, int]]
"""part -> column kept by time and quarter of an hour -> tickets."""

Kind = TypeVar("Kind")


@dataclass
class BucketKept:
    """All that is kept of one bucket but its tenants."""

    epoch: str = field(default_factory=lambda: secrets.token_hex(8))
    topic: str = ""
    positions: dict[int, Position] = field(default_factory=dict)
    fresh_ms: dict[int, int] = field(default_factory=dict)
    timers: Instant | None = None
    due: dict[tuple[str, str, str], Instant] = field(default_factory=dict)
    """By tenant, generation and ticket."""
    audited: tuple[str, str, str] = ("", "", "")
    """Tenant, generation and holder of the audit under way."""
    audited_until_ms: int = 0
    noted: set[str] = field(default_factory=set)

    def first_due(self) -> Instant | None:
        """When the first ticket is due."""
        return min(self.due.values(), default=None)


@dataclass
class Kept:
    """All that is kept of one tenant."""

    stored: StoredTenant
    version: int = 0
    as_of: Instant | None = None
    tickets: dict[str, StoredTicket] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)
    timed: dict[str, TimedCounter] = field(default_factory=dict)


def stored_counter(found: Kept, name: str) -> StoredCounter:
    columns = {part: column_changes(masks) for part, masks in found.counters.get(name, {}).items()}
    return StoredCounter(columns, timed_fields(name, found.timed.get(name, {})))


def windowed(timed: Mapping[str, TimedCounter], counters: Sequence[str], window: Window) -> int:
    """What a window comes to."""
    parts = [part for index, name in window.scopes for part in parts_of(name, timed.get(counters[index], {}))]
    return sum(
        tickets
        for time_buckets in parts
        for (column, quarter), tickets in time_buckets.items()
        if column == window.column and any(first <= quarter < beyond for first, beyond in window.spans)
    )


def add_changes(
    counters: dict[str, dict[str, dict[Kind, int]]], changes: Mapping[str, Mapping[str, Mapping[Kind, int]]]
) -> int:
    """Adds changes; empty parts and counters are not kept. Returns how many numbers came out below zero."""
    negative = 0
    for name, parts in changes.items():
        counter = counters.setdefault(name, {})
        for part, kinds in parts.items():
            sums = counter.setdefault(part, {})
            for kind, change in kinds.items():
                sums[kind] = sums.get(kind, 0) + change
                negative += sums[kind] < 0
            counter[part] = {kind: tickets for kind, tickets in sums.items() if tickets}
        counters[name] = {part: sums for part, sums in counter.items() if sums}
        if not counters[name]:
            del counters[name]
    return negative
