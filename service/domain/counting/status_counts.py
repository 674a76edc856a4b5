"""Ticket counts by status for slices of a tenant: the counters to read, and how to add them up. Pure.

The answers of the form API are sums of these. A status has one column for all viewers.
"""

from collections.abc import Mapping, Sequence

import msgspec

from service.domain.counting.plan import Counter
from service.domain.counting.scopes import EVERYONE, Scope, parts_of


class Slice(msgspec.Struct, frozen=True):
    """A slice of tickets: those of `teams` (None: all, also without a team), and of `assignee` if it is set."""

    teams: tuple[str, ...] | None = None
    assignee: str | None = None

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The scopes whose sum is the slice."""
        if self.assignee is not None:
            counter = "a:" + self.assignee
            return (Scope(counter),) if self.teams is None else tuple(Scope(counter, "t:" + t) for t in self.teams)
        return (Scope(EVERYONE),) if self.teams is None else tuple(Scope("t:" + team) for team in self.teams)


class StatusPlan(msgspec.Struct, frozen=True):
    """Reads `columns` of the counter of all tickets and `counters` whole, then adds up each slice."""

    statuses: tuple[tuple[str, int], ...]
    """Status id and column number, in the tenant's order."""
    slices: tuple[tuple[Scope, ...], ...]
    columns: tuple[int, ...]
    counters: tuple[str, ...]
    columns_mask: int
    """The mask of the columns that the plan needs from `counters`."""

    def evaluate(self, columns: Sequence[int], counters: Sequence[Counter]) -> list[dict[str, int]]:
        """Returns status id -> number of tickets for each slice, from the values that were read in the plan's order."""
        read: dict[str, Counter] = dict(zip(self.counters, counters, strict=True))
        read[EVERYONE] = {"": dict(zip(self.columns, columns, strict=True))}
        return [
            self._by_status([cells for each in scopes for cells in parts_of(each.part, read[each.counter])])
            for scopes in self.slices
        ]

    def _by_status(self, found: Sequence[Mapping[int, int]]) -> dict[str, int]:
        return {status: sum(cells.get(column, 0) for cells in found) for status, column in self.statuses}


def status_plan(columns: Mapping[str, int], slices: Sequence[Slice]) -> StatusPlan:
    """Plans the fewest reads for these slices. `columns`: status id -> column number."""
    scopes = tuple(each.scopes for each in slices)
    named = dict.fromkeys(scope.counter for each in scopes for scope in each)
    whole = tuple(columns.values()) if EVERYONE in named else ()
    counters = tuple(name for name in named if name != EVERYONE)
    columns_mask = sum(1 << number for number in set(columns.values())) if counters else 0
    return StatusPlan(tuple(columns.items()), scopes, whole, counters, columns_mask)
