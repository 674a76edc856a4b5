"""What a ticket adds to the counters, and what one change of it takes away and adds. Pure: no clock, no I/O."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from service.domain.matching import Columns
from service.domain.scopes import Place, places_of
from service.domain.ticket import Image, Instant, Ticket

Deltas = Mapping[str, Mapping[str, Mapping[int, int]]]
"""counter -> part -> column number -> change, without zeros."""


class Cell(NamedTuple):
    """One count: a numbered column in a place."""

    column: int
    place: Place


def contributions(ticket: Ticket, columns: Columns, now: Instant) -> frozenset[Cell]:
    """Every cell this ticket adds one to at `now`."""
    return frozenset(cells(ticket, columns.mask(ticket, now)))


def cells(ticket: Ticket | None, mask: int) -> Iterator[Cell]:
    """Every cell a ticket with this mask adds one to; none for a deleted one."""
    if ticket is None:
        return
    for place in places_of(ticket):
        for column in _numbers(mask):
            yield Cell(column, place)


_Change = tuple[int, int]
"""Masks of the columns gained and lost; no column is in both."""


class Changes:
    """Sums what many changes do to the cells, so that a batch sends each cell once."""

    def __init__(self) -> None:
        # Whole masks are summed and taken apart at the end: a batch has few distinct ones, and a ticket's change is
        # the same in all of its places.
        self._sums: dict[str, dict[str, dict[_Change, int]]] = {}

    def add(self, before: Image | None, after: Image | None) -> None:
        """Takes away what `before` contributes and adds what `after` does."""
        old = before.ticket if before is not None else None
        new = after.ticket if after is not None else None
        old_mask = before.mask if before is not None else 0
        new_mask = after.mask if after is not None else 0
        if old is not None and new is not None and _same_places(old, new):
            self._count(new, new_mask & ~old_mask, old_mask & ~new_mask)
            return
        if old is not None:
            self._count(old, 0, old_mask)
        if new is not None:
            self._count(new, new_mask, 0)

    def _count(self, ticket: Ticket, gained: int, lost: int) -> None:
        if not gained and not lost:
            return
        change = (gained, lost)
        for counter, part in places_of(ticket):
            parts = self._sums.get(counter)
            if parts is None:
                parts = self._sums[counter] = {}
            times = parts.get(part)
            if times is None:
                parts[part] = {change: 1}
            else:
                times[change] = times.get(change, 0) + 1

    def deltas(self) -> Deltas:
        """The sum per cell; cells that came out even are left out."""
        result: dict[str, dict[str, Mapping[int, int]]] = {}
        for counter, parts in self._sums.items():
            changed = {part: cells for part, times in parts.items() if (cells := _cell_changes(times))}
            if changed:
                result[counter] = changed
        return result


def _cell_changes(times: Mapping[_Change, int]) -> Mapping[int, int]:
    """Column -> change, of changes that happened so many times."""
    if len(times) == 1:  # as most persons' counters have it
        ((change, count),) = times.items()
        return _cells_of(change, count)
    columns: dict[int, int] = {}
    for (gained, lost), count in times.items():
        for column in _numbers(gained):
            columns[column] = columns.get(column, 0) + count
        for column in _numbers(lost):
            columns[column] = columns.get(column, 0) - count
    return {column: delta for column, delta in columns.items() if delta}


@lru_cache(maxsize=16_384)  # some 10 MB; a batch uses each several times, once per place
def _cells_of(change: _Change, count: int) -> Mapping[int, int]:
    gained, lost = change
    return dict.fromkeys(_numbers(gained), count) | dict.fromkeys(_numbers(lost), -count)


def _same_places(old: Ticket, new: Ticket) -> bool:
    return old.team == new.team and old.assignee == new.assignee and old.requester == new.requester


@lru_cache(maxsize=65_536)  # distinct masks of all tenants in flight; a miss costs some microseconds
def _numbers(mask: int) -> tuple[int, ...]:
    return tuple(number for number in range(mask.bit_length()) if mask >> number & 1)
