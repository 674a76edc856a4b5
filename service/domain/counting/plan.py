"""The plan of an answer: the counters to read, and how to add them up. Pure."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

from service.domain.counting.scopes import EVERYONE, Term, parts_of, scopes_for
from service.domain.counting.viewer import Viewer
from service.domain.counting.windows import Region

Counter = Mapping[str, Mapping[int, int]]
"""part -> column number -> count."""


ScopeRef = tuple[int, str]
"""A scope: the index of its counter in the plan, and the part."""


class TimedRead(msgspec.Struct, frozen=True):
    """A read of a column kept by time: its tickets within the region, added over disjoint scopes."""

    column: int
    region: Region
    scopes: tuple[ScopeRef, ...]


class Group(msgspec.Struct, frozen=True):
    """Scopes that are added (`plus`) and subtracted (`minus`), for several columns at once."""

    plus: tuple[ScopeRef, ...]
    minus: tuple[ScopeRef, ...]
    columns: tuple[int, ...]

    def totals(self, counters: Sequence[Counter]) -> list[int]:
        """Returns the total of each column over the scopes."""
        plus, minus = _found(self.plus, counters), _found(self.minus, counters)
        return [
            # Lists, because a generator costs more than these few items.
            sum([cells.get(column, 0) for cells in plus]) - sum([cells.get(column, 0) for cells in minus])
            for column in self.columns
        ]


class Sum(NamedTuple):
    """A sum over the values that a plan reads.

    Nearly every sum is a single value: `terms` is None, and `alone` is the index of the value.
    """

    alone: int
    terms: tuple[tuple[int, int], ...] | None
    """(sign, index of a value)."""


class Plan(msgspec.Struct, frozen=True):
    """Reads `columns` of the counter of all tickets, `counters` whole, and `timed`; then computes each sum.

    Most sums of a viewer use the same scopes with different columns. A group looks up those scopes once.
    """

    columns: tuple[int, ...]
    counters: tuple[str, ...]
    groups: tuple[Group, ...]
    sums: tuple[Sum, ...]
    """Indexes into the values: first those of `columns`, then of each group's columns, then of `timed`."""
    columns_mask: int
    """The mask of the columns that `groups` need."""
    timed_counters: tuple[str, ...] = ()
    """The counters that `timed` reads."""
    timed: tuple[TimedRead, ...] = ()
    """Their scopes index into `timed_counters`."""

    @property
    def size(self) -> int:
        """The number of scopes, columns and summands in the plan."""
        grouped = sum(len(group.plus) + len(group.minus) + len(group.columns) for group in self.groups)
        timed = sum(2 + len(read.scopes) for read in self.timed)
        return (
            len(self.columns) + len(self.counters) + grouped + timed + sum(len(terms or ()) for _, terms in self.sums)
        )

    def evaluate(self, columns: Sequence[int], counters: Sequence[Counter], timed: Sequence[int]) -> list[int]:
        """Computes the sums from the values that were read, in the plan's order."""
        values = [*columns]
        for group in self.groups:
            values += group.totals(counters)
        values += timed
        return [
            values[alone] if terms is None else sum([sign * values[place] for sign, place in terms])
            for alone, terms in self.sums
        ]


def _found(scopes: Sequence[ScopeRef], counters: Sequence[Counter]) -> list[Mapping[int, int]]:
    return [cells for index, part in scopes for cells in parts_of(part, counters[index])]


def plan(sums: Sequence[tuple[Term, ...]], numbers: Mapping[str, int], viewer: Viewer) -> Plan:
    """Plans the fewest reads for these signed sums and this viewer. `numbers`: column id -> column number."""
    columns: dict[int, int] = {}
    counters: dict[str, int] = {}
    groups: dict[tuple[tuple[ScopeRef, ...], tuple[ScopeRef, ...]], tuple[int, dict[int, int]]] = {}
    timed = _TimedReads(numbers, viewer)
    found_sums: list[_Found] = []
    for terms in sums:
        by_time = [(term.sign, timed.index(term)) for term in terms if term.region is not None]
        plain: list[tuple[int, int]] = []
        signed: dict[int, tuple[list[ScopeRef], list[ScopeRef]]] = {}
        for term in terms:
            if term.region is not None:
                continue
            number = numbers[term.column]
            scopes = scopes_for(term.questions, viewer)
            if scopes and scopes[0].counter == EVERYONE:
                plain.append((term.sign, columns.setdefault(number, len(columns))))
                continue
            found = [(counters.setdefault(scope.counter, len(counters)), scope.part) for scope in scopes]
            # A sign of ±2 or more repeats the scopes.
            signed.setdefault(number, ([], []))[term.sign < 0].extend(found * abs(term.sign))
        grouped = []
        for number, (plus, minus) in signed.items():
            index, wanted = groups.setdefault((tuple(plus), tuple(minus)), (len(groups), {}))
            grouped.append((index, wanted.setdefault(number, len(wanted))))
        found_sums.append(_Found(plain, grouped, by_time))
    made = tuple(Group(plus, minus, tuple(wanted)) for (plus, minus), (_, wanted) in groups.items())
    columns_mask = sum(1 << number for number in {number for group in made for number in group.columns})
    return Plan(
        tuple(columns),
        tuple(counters),
        made,
        _placed(found_sums, len(columns), made),
        columns_mask,
        tuple(timed.counters),
        tuple(timed.reads),
    )


class _Found(NamedTuple):
    """A sum while the plan is being built."""

    plain: list[tuple[int, int]]
    """(sign, index into the columns)."""
    grouped: list[tuple[int, int]]
    """(index into the groups, index into that group's columns)."""
    by_time: list[tuple[int, int]]
    """(sign, index into the timed reads)."""


def _placed(sums: Sequence[_Found], columns: int, groups: Sequence[Group]) -> tuple[Sum, ...]:
    starts = list(accumulate((len(group.columns) for group in groups), initial=columns))
    placed = []
    for plain, grouped, by_time in sums:
        terms = [*plain, *((1, starts[index] + at) for index, at in grouped)]
        terms += [(sign, starts[-1] + index) for sign, index in by_time]
        alone = len(terms) == 1 and terms[0][0] == 1
        placed.append(Sum(terms[0][1], None) if alone else Sum(0, tuple(terms)))
    return tuple(placed)


class _TimedReads:
    """Collects the reads of columns kept by time, without duplicates."""

    def __init__(self, numbers: Mapping[str, int], viewer: Viewer) -> None:
        self._numbers = numbers
        self._viewer = viewer
        self.counters: dict[str, int] = {}
        self.reads: dict[TimedRead, int] = {}

    def index(self, term: Term) -> int:
        """Returns the index of the term's read."""
        assert term.region is not None
        scopes = tuple(
            (self.counters.setdefault(scope.counter, len(self.counters)), scope.part)
            for scope in scopes_for(term.questions, self._viewer)
        )
        read = TimedRead(self._numbers[term.column], term.region, scopes)
        return self.reads.setdefault(read, len(self.reads))
