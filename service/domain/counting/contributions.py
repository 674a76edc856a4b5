"""The contributions of tickets to counters, and how changes of tickets change the counters. Pure: no clock, no I/O."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.scopes import Place, places_of
from service.domain.tickets.ticket import Instant, Ticket, TicketState, TimeBucket

Kind = TypeVar("Kind")

Deltas = Mapping[str, Mapping[str, Mapping[int, int]]]
"""counter -> part -> mask -> change in the number of tickets with exactly this mask, without zeros.

Keyed by mask rather than by column, so that one changed ticket needs two entries for any number of columns. Example: a
ticket whose mask goes from 0b101 to 0b110 adds `{0b101: -1, 0b110: 1}`.
"""


TimeBuckets = Mapping[str, Mapping[str, Mapping[TimeBucket, int]]]
"""counter -> part -> time bucket -> change in the number of tickets, without zeros."""


class Cell(NamedTuple):
    """One number: the tickets of a place that count in a column, in one quarter of an hour if it is kept by time."""

    column: int
    place: Place
    quarter: int | None = None


def contributions(ticket: Ticket, columns: ColumnMatcher, now: Instant) -> frozenset[Cell]:
    """Returns every cell that this ticket adds one to at `now`."""
    counted = columns.counted(ticket, now)
    return frozenset(cells(ticket, counted.mask, counted.time_buckets))


def cells(ticket: Ticket | None, mask: int, time_buckets: Iterable[TimeBucket] = ()) -> Iterator[Cell]:
    """Yields every cell that a ticket with this mask and these time buckets adds one to; none for a deleted ticket."""
    if ticket is None:
        return
    for place in places_of(ticket):
        for column in numbers_in(mask):
            yield Cell(column, place)
        for column, quarter in time_buckets:
            yield Cell(column, place, quarter)


class Changes:
    """Adds up the changes of many tickets, so that a batch writes each cell once."""

    def __init__(self) -> None:
        self._masks = _ChangeSums[int]()
        self._time_buckets = _ChangeSums[TimeBucket]()

    def add(self, before: TicketState | None, after: TicketState | None) -> None:
        """Subtracts the contributions of `before` and adds those of `after`."""
        old = before.ticket if before is not None else None
        new = after.ticket if after is not None else None
        old_mask = before.mask if before is not None and old is not None else 0
        new_mask = after.mask if after is not None and new is not None else 0
        old_time_buckets = before.time_buckets if before is not None and old is not None else ()
        new_time_buckets = after.time_buckets if after is not None and new is not None else ()
        same = old is not None and new is not None and _same_places(old, new)
        if same and old_mask == new_mask and old_time_buckets == new_time_buckets:
            return
        old_places = [] if old is None else places_of(old)
        new_places = old_places if same else [] if new is None else places_of(new)
        if old_mask:
            self._masks.count(old_places, old_mask, -1)
        if new_mask:
            self._masks.count(new_places, new_mask, 1)
        if same and old_time_buckets == new_time_buckets:
            return
        for time_bucket in old_time_buckets:
            self._time_buckets.count(old_places, time_bucket, -1)
        for time_bucket in new_time_buckets:
            self._time_buckets.count(new_places, time_bucket, 1)

    def deltas(self) -> Deltas:
        """Returns the changes by mask."""
        return self._masks.changed()

    def time_buckets(self) -> TimeBuckets:
        """Returns the changes by time bucket."""
        return self._time_buckets.changed()


class _ChangeSums(Generic[Kind]):
    """place -> mask or time bucket -> tickets that arrived minus tickets that left."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, dict[Kind, int]]] = {}

    def count(self, places: list[Place], kind: Kind, change: int) -> None:
        for counter, part in places:
            parts = self._sums.get(counter)
            if parts is None:
                parts = self._sums[counter] = {}
            kinds = parts.get(part)
            if kinds is None:
                parts[part] = {kind: change}
            else:
                kinds[kind] = kinds.get(kind, 0) + change

    def changed(self) -> dict[str, dict[str, dict[Kind, int]]]:
        """Returns the sums that are not zero."""
        result: dict[str, dict[str, dict[Kind, int]]] = {}
        for counter, parts in self._sums.items():
            for part, kinds in parts.items():
                changed = {kind: change for kind, change in kinds.items() if change}
                if changed:
                    result.setdefault(counter, {})[part] = changed
        return result


def column_changes(masks: Mapping[int, int]) -> dict[int, int]:
    """Turns changes by mask into changes by column, without zeros.

    Example: `{0b101: -1, 0b110: 1}` gives `{0: -1, 1: 1}`; column 2 is unchanged. Sums are kept in bit-slices: bit N of
    slice K is bit K of the sum of column N. One addition is then a few operations on whole masks, for 500 columns too.
    """
    gained: list[int] = []
    lost: list[int] = []
    for mask, change in masks.items():
        _add_slices(gained if change > 0 else lost, mask, abs(change))
    for place in range(min(len(gained), len(lost))):  # most columns lose and gain the same number
        common = gained[place] & lost[place]
        gained[place] ^= common
        lost[place] ^= common
    sums: dict[int, int] = {}
    for slices, sign in ((gained, 1), (lost, -1)):
        for place, columns in enumerate(slices):
            for column in numbers_in(columns):
                sums[column] = sums.get(column, 0) + (sign << place)
    return {column: change for column, change in sums.items() if change}


def _add_slices(slices: list[int], mask: int, times: int) -> None:
    place = 0
    while times:
        if times & 1:
            carry, here = mask, place
            while carry:
                if here >= len(slices):
                    slices.extend([0] * (here + 1 - len(slices)))
                slices[here], carry = slices[here] ^ carry, slices[here] & carry
                here += 1
        times >>= 1
        place += 1


def _same_places(old: Ticket, new: Ticket) -> bool:
    return old.team == new.team and old.assignee == new.assignee and old.requester == new.requester


WIDEST_REMEMBERED = 512
"""The widest masks in the cache, in bits: at most some 45 MB. Wider masks would take a hundred times as much."""


def numbers_in(mask: int) -> tuple[int, ...]:
    """Returns the numbers of the columns in a mask, ascending."""
    return _remembered_numbers(mask) if mask.bit_length() <= WIDEST_REMEMBERED else _numbers(mask)


def _numbers(mask: int) -> tuple[int, ...]:
    return tuple(number for number, bit in enumerate(reversed(f"{mask:b}")) if bit == "1")


# Masks of persons' counters repeat. Slices of large batches don't, and take 15 µs for 500 columns.
_remembered_numbers = lru_cache(maxsize=4_096)(_numbers)
