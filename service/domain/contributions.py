"""What a ticket adds to the counters, and what one change of it takes away and adds. Pure: no clock, no I/O."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from service.domain.matching import Columns
from service.domain.scopes import Scope, scopes_of
from service.domain.ticket import Image, Instant, Ticket

Deltas = dict[str, dict[str, dict[int, int]]]
"""counter -> part -> column number -> change, without zeros."""


class Cell(NamedTuple):
    """One counter: a numbered column in a scope."""

    column: int
    scope: Scope


def contributions(ticket: Ticket, columns: Columns, now: Instant) -> frozenset[Cell]:
    """Every cell this ticket adds one to at `now`."""
    return frozenset(cells(ticket, columns.mask(ticket, now)))


def cells(ticket: Ticket | None, mask: int) -> Iterator[Cell]:
    """Every cell a ticket with this mask adds one to; none for a deleted one."""
    if ticket is None:
        return
    for scope in scopes_of(ticket):
        for column in _numbers(mask):
            yield Cell(column, scope)


class Changes:
    """Sums what many changes do to the cells, so that a batch sends each cell once."""

    def __init__(self) -> None:
        # Whole masks are summed and taken apart at the end: a batch has few distinct ones.
        self._masks: dict[Scope, dict[int, int]] = {}

    def add(self, before: Image | None, after: Image | None) -> None:
        """Takes away what `before` contributes and adds what `after` does."""
        old = before.ticket if before is not None else None
        new = after.ticket if after is not None else None
        old_mask = before.mask if before is not None else 0
        new_mask = after.mask if after is not None else 0
        if old is not None and new is not None and _same_scopes(old, new):
            for scope in scopes_of(new) if old_mask != new_mask else ():
                self._count(scope, new_mask & ~old_mask, 1)
                self._count(scope, old_mask & ~new_mask, -1)
            return
        if old is not None:
            for scope in scopes_of(old):
                self._count(scope, old_mask, -1)
        if new is not None:
            for scope in scopes_of(new):
                self._count(scope, new_mask, 1)

    def _count(self, scope: Scope, mask: int, sign: int) -> None:
        if mask:
            masks = self._masks.setdefault(scope, {})
            masks[mask] = masks.get(mask, 0) + sign

    def deltas(self) -> Deltas:
        """The sum per cell; cells that came out even are left out."""
        result: Deltas = {}
        for scope, masks in self._masks.items():
            columns: dict[int, int] = {}
            for mask, times in masks.items():
                for column in _numbers(mask) if times else ():
                    columns[column] = columns.get(column, 0) + times
            changed = {column: delta for column, delta in columns.items() if delta}
            if changed:
                result.setdefault(scope.counter, {})[scope.part] = changed
        return result


def _same_scopes(old: Ticket, new: Ticket) -> bool:
    return old.team == new.team and old.assignee == new.assignee and old.requester == new.requester


@lru_cache(maxsize=65_536)  # distinct masks of all tenants in flight; a miss costs some microseconds
def _numbers(mask: int) -> tuple[int, ...]:
    return tuple(number for number in range(mask.bit_length()) if mask >> number & 1)
