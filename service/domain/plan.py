"""A plan: which counters one answer reads, and how they add up. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from service.domain.scopes import EVERYONE, Term, scopes_for
from service.domain.viewer import Viewer

Counter = Mapping[str, Mapping[int, int]]
"""part -> column number -> count."""


class Summand(msgspec.Struct, frozen=True):
    """`sign` times one column, over some (counter, part) places, by their index in the plan."""

    sign: int
    column: int
    places: tuple[tuple[int, str], ...]


class Plan(msgspec.Struct, frozen=True):
    """`columns` are read of the counter of all tickets, `counters` whole; then each sum is taken."""

    columns: tuple[int, ...]
    counters: tuple[str, ...]
    everyone: tuple[tuple[tuple[int, int], ...], ...]
    """Per sum: (sign, index into `columns`)."""
    sums: tuple[tuple[Summand, ...], ...]

    def evaluate(self, columns: Sequence[int], counters: Sequence[Counter]) -> list[int]:
        """The sums, from counts read in the plan's order."""
        return [
            sum(sign * columns[index] for sign, index in plain)
            + sum(summand.sign * _over(summand, counters) for summand in summands)
            for plain, summands in zip(self.everyone, self.sums, strict=True)
        ]


_NOTHING: Mapping[int, int] = {}


def _over(summand: Summand, counters: Sequence[Counter]) -> int:
    column = summand.column
    return sum(counters[index].get(part, _NOTHING).get(column, 0) for index, part in summand.places)


def plan(sums: Sequence[tuple[Term, ...]], numbers: Mapping[str, int], viewer: Viewer) -> Plan:
    """Turns signed sums into the fewest reads for this viewer."""
    columns: dict[int, int] = {}
    counters: dict[str, int] = {}
    everyone: list[tuple[tuple[int, int], ...]] = []
    persons: list[tuple[Summand, ...]] = []
    for terms in sums:
        plain: list[tuple[int, int]] = []
        summands: list[Summand] = []
        for term in terms:
            number = numbers[term.column]
            scopes = scopes_for(term.questions, viewer)
            if scopes and scopes[0].counter == EVERYONE:
                plain.append((term.sign, columns.setdefault(number, len(columns))))
            elif scopes:
                places = tuple((counters.setdefault(s.counter, len(counters)), s.part) for s in scopes)
                summands.append(Summand(term.sign, number, places))
        everyone.append(tuple(plain))
        persons.append(tuple(summands))
    return Plan(tuple(columns), tuple(counters), tuple(everyone), tuple(persons))
