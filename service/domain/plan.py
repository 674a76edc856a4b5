"""A plan: which counters one answer reads, and how they add up. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from service.domain.scopes import EVERYONE, Term, parts_of, scopes_for
from service.domain.viewer import Viewer
from service.domain.windows import Region

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

    def totals(self, counters: Sequence[Counter]) -> dict[int, int]:
        """Column number -> what the scopes come to."""
        plus, minus = _found(self.plus, counters), _found(self.minus, counters)
        return {
            # Lists, because a generator costs more than what it would go through here.
            column: sum([cells.get(column, 0) for cells in plus]) - sum([cells.get(column, 0) for cells in minus])
            for column in self.columns
        }


class Plan(msgspec.Struct, frozen=True):
    """`columns` are read of the counter of all tickets, `counters` whole; then each sum is taken.

    Most sums of a viewer go over the same scopes, each in another column: those are looked up once, as a group.
    """

    columns: tuple[int, ...]
    counters: tuple[str, ...]
    groups: tuple[Group, ...]
    everyone: tuple[tuple[tuple[int, int], ...], ...]
    """Per sum: (sign, index into `columns`)."""
    sums: tuple[tuple[tuple[int, int], ...], ...]
    """Per sum: (index into `groups`, column number)."""
    asked: int
    """The columns that `groups` need, as a mask."""
    timed_counters: tuple[str, ...] = ()
    """Counters of which something kept by time is read."""
    timed: tuple[Timed, ...] = ()
    """Their scopes are by index into `timed_counters`."""
    timed_sums: tuple[tuple[tuple[int, int], ...], ...] = ()
    """Per sum: (sign, index into `timed`)."""

    def evaluate(self, columns: Sequence[int], counters: Sequence[Counter], timed: Sequence[int]) -> list[int]:
        """The sums, from counts read in the plan's order."""
        totals = [group.totals(counters) for group in self.groups]
        counts = []
        for plain, grouped, by_time in zip(self.everyone, self.sums, self.timed_sums, strict=True):
            count = 0
            for sign, index in plain:
                count += sign * columns[index]
            for index, column in grouped:
                count += totals[index][column]
            for sign, index in by_time:
                count += sign * timed[index]
            counts.append(count)
        return counts


def _found(scopes: Sequence[Share], counters: Sequence[Counter]) -> list[Mapping[int, int]]:
    return [cells for index, part in scopes for cells in parts_of(part, counters[index])]


def plan(sums: Sequence[tuple[Term, ...]], numbers: Mapping[str, int], viewer: Viewer) -> Plan:
    """Turns signed sums into the fewest reads for this viewer."""
    columns: dict[int, int] = {}
    counters: dict[str, int] = {}
    groups: dict[tuple[tuple[Share, ...], tuple[Share, ...]], tuple[int, dict[int, None]]] = {}
    everyone: list[tuple[tuple[int, int], ...]] = []
    grouped: list[tuple[tuple[int, int], ...]] = []
    timed = _TimedReads(numbers, viewer)
    timed_sums: list[tuple[tuple[int, int], ...]] = []
    for terms in sums:
        timed_sums.append(tuple((term.sign, timed.index(term)) for term in terms if term.region is not None))
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
        everyone.append(tuple(plain))
        mine = []
        for number, (plus, minus) in signed.items():
            index, wanted = groups.setdefault((tuple(plus), tuple(minus)), (len(groups), {}))
            wanted[number] = None
            mine.append((index, number))
        grouped.append(tuple(mine))
    made = tuple(Group(plus, minus, tuple(wanted)) for (plus, minus), (_, wanted) in groups.items())
    asked = sum(1 << number for number in {number for group in made for number in group.columns})
    return Plan(
        tuple(columns),
        tuple(counters),
        made,
        tuple(everyone),
        tuple(grouped),
        asked,
        tuple(timed.counters),
        tuple(timed.reads),
        tuple(timed_sums),
    )


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
