"""A plan: which counters one answer reads, and how they add up. Pure."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

from service.domain.counting.scopes import EVERYONE, Term, parts_of, scopes_for
from service.domain.counting.viewer import Viewer
from service.domain.counting.windows import Region

Counter = Mapping[str, Mapping[int, int]]
"""part -> column number -> count."""


Share = tuple[int, str]
"""A scope: its counter, by its index in the plan, and which part of it."""


class Timed(msgspec.Struct, frozen=True):
    """A count kept by time: a column's tickets over these scopes, which have none in common, within the region."""

    column: int
    region: Region
    scopes: tuple[Share, ...]


class Group(msgspec.Struct, frozen=True):
    """Scopes that are added (`plus`) and taken away (`minus`) together, for each of `columns`."""

    plus: tuple[Share, ...]
    minus: tuple[Share, ...]
    columns: tuple[int, ...]

    def totals(self, counters: Sequence[Counter]) -> list[int]:
        """Per column: what the scopes come to."""
        plus, minus = _found(self.plus, counters), _found(self.minus, counters)
        return [
            # Lists, because a generator costs more than what it would go through here.
            sum([cells.get(column, 0) for cells in plus]) - sum([cells.get(column, 0) for cells in minus])
            for column in self.columns
        ]


class Sum(NamedTuple):
    """A sum over values by their places. Nearly all are one value as it is, `alone`; else `terms` are taken."""

    alone: int
    terms: tuple[tuple[int, int], ...] | None
    """(sign, place)."""


class Plan(msgspec.Struct, frozen=True):
    """`columns` are read of the counter of all tickets, `counters` whole; then each sum is taken.

    Most sums of a viewer go over the same scopes, each in another column: those are looked up once, as a group.
    """

    columns: tuple[int, ...]
    counters: tuple[str, ...]
    groups: tuple[Group, ...]
    sums: tuple[Sum, ...]
    """Over the values that are read: of `columns`, then of each group's columns, then of `timed`."""
    asked: int
    """The columns that `groups` need, as a mask."""
    timed_counters: tuple[str, ...] = ()
    """Counters of which something kept by time is read."""
    timed: tuple[Timed, ...] = ()
    """Their scopes are by index into `timed_counters`."""

    @property
    def size(self) -> int:
        """How many scopes, columns and summands it names."""
        grouped = sum(len(group.plus) + len(group.minus) + len(group.columns) for group in self.groups)
        timed = sum(2 + len(read.scopes) for read in self.timed)
        return (
            len(self.columns) + len(self.counters) + grouped + timed + sum(len(terms or ()) for _, terms in self.sums)
        )

    def evaluate(self, columns: Sequence[int], counters: Sequence[Counter], timed: Sequence[int]) -> list[int]:
        """The sums, from counts read in the plan's order."""
        values = [*columns]
        for group in self.groups:
            values += group.totals(counters)
        values += timed
        return [
            values[alone] if terms is None else sum([sign * values[place] for sign, place in terms])
            for alone, terms in self.sums
        ]


def _found(scopes: Sequence[Share], counters: Sequence[Counter]) -> list[Mapping[int, int]]:
    return [cells for index, part in scopes for cells in parts_of(part, counters[index])]


def plan(sums: Sequence[tuple[Term, ...]], numbers: Mapping[str, int], viewer: Viewer) -> Plan:
    """Turns signed sums into the fewest reads for this viewer."""
    columns: dict[int, int] = {}
    counters: dict[str, int] = {}
    groups: dict[tuple[tuple[Share, ...], tuple[Share, ...]], tuple[int, dict[int, int]]] = {}
    timed = _TimedReads(numbers, viewer)
    found_sums: list[_Found] = []
    for terms in sums:
        by_time = [(term.sign, timed.index(term)) for term in terms if term.region is not None]
        plain: list[tuple[int, int]] = []
        signed: dict[int, tuple[list[Share], list[Share]]] = {}
        for term in terms:
            if term.region is not None:
                continue
            number = numbers[term.column]
            scopes = scopes_for(term.questions, viewer)
            if scopes and scopes[0].counter == EVERYONE:
                plain.append((term.sign, columns.setdefault(number, len(columns))))
                continue
            found = [(counters.setdefault(scope.counter, len(counters)), scope.part) for scope in scopes]
            # A sign may be ±2 or more: then the scopes stand there so often.
            signed.setdefault(number, ([], []))[term.sign < 0].extend(found * abs(term.sign))
        mine = []
        for number, (plus, minus) in signed.items():
            index, wanted = groups.setdefault((tuple(plus), tuple(minus)), (len(groups), {}))
            mine.append((index, wanted.setdefault(number, len(wanted))))
        found_sums.append(_Found(plain, mine, by_time))
    made = tuple(Group(plus, minus, tuple(wanted)) for (plus, minus), (_, wanted) in groups.items())
    asked = sum(1 << number for number in {number for group in made for number in group.columns})
    return Plan(
        tuple(columns),
        tuple(counters),
        made,
        _placed(found_sums, len(columns), made),
        asked,
        tuple(timed.counters),
        tuple(timed.reads),
    )


class _Found(NamedTuple):
    """A sum while the plan is made."""

    plain: list[tuple[int, int]]
    """(sign, index into the columns)."""
    grouped: list[tuple[int, int]]
    """(index into the groups, index into that group's columns)."""
    by_time: list[tuple[int, int]]
    """(sign, index into what is kept by time)."""


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
    """Collects what is read of counts kept by time, each once."""

    def __init__(self, numbers: Mapping[str, int], viewer: Viewer) -> None:
        self._numbers = numbers
        self._viewer = viewer
        self.counters: dict[str, int] = {}
        self.reads: dict[Timed, int] = {}

    def index(self, term: Term) -> int:
        """Where among the reads this term's is."""
        assert term.region is not None
        scopes = tuple(
            (self.counters.setdefault(scope.counter, len(self.counters)), scope.part)
            for scope in scopes_for(term.questions, self._viewer)
        )
        read = Timed(self._numbers[term.column], term.region, scopes)
        return self.reads.setdefault(read, len(self.reads))
