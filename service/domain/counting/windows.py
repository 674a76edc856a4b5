"""Calendar words in conditions: the columns that keep such counts by time, and the spans that are summed. Pure.

"Created today" is a count for each quarter of an hour in UTC, and a reader sums those of the viewer's own day. So it is
while a condition looks at one field's days. One that looks at those of two needs columns for a date in a zone.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

from service.domain.conditions.condition import NEVER, AllOf, At, Condition, Const, Leaf, leaves_of, with_leaves
from service.domain.conditions.operators import BETWEEN, WITHIN, WORDS
from service.domain.counting.columns import Column, residuals, simplify
from service.domain.counting.local_days import LocalDay
from service.domain.tickets.ticket import QUARTER_US, Instant

_DAY_US = 96 * QUARTER_US

_REACH_DAYS = {"today": (1, 1), "yesterday": (2, 0), "tomorrow": (0, 2), "this_week": (7, 7), "this_month": (31, 31)}
"""How far before and after now a word's days lie, but for what zones and `_MARGIN_DAYS` add."""

_MARGIN_DAYS = 3
"""A day for the longest local days and for dates that a zone skips, and two for readers while no consumer runs."""

_SINGLE_DAYS = frozenset(("today", "yesterday", "tomorrow"))
"""No instant lies within two of these."""

Span = tuple[int, int]
"""The first quarter of an hour since the epoch inside, and the first one beyond."""


class Region(NamedTuple):
    """The instants within all days named `inside` and none of those named `outside`."""

    inside: tuple[str, ...]
    outside: tuple[str, ...]

    def spans(self, day: LocalDay) -> tuple[Span, ...]:
        """Its quarters of an hour on that day, which begins and ends with one, as `timezones` has made sure."""
        windows = [day.window(word) for word in self.inside]
        found = [(max(first for first, _ in windows), min(beyond for _, beyond in windows))]
        for word in self.outside:
            found = [part for span in found for part in _without(span, day.window(word))]
        return tuple((first // QUARTER_US, beyond // QUARTER_US) for first, beyond in found if first < beyond)


class Summand(NamedTuple):
    """`sign` times the tickets of a column; of one kept by time those in the region."""

    sign: int
    column: Column
    region: Region | None


def summands(plain: Condition) -> Iterator[Summand]:
    """What a simplified condition without a viewer comes to. Raises ValueError for one that `needs_day`."""
    watched = words_by_field(plain)
    if not watched:
        if plain != NEVER:
            yield Summand(1, Column(plain), None)
        return
    ((field, words),) = watched.items()
    outside = decided(plain, frozenset())
    if outside != NEVER:
        yield Summand(1, Column(outside), None)
    for inside in _possible(words):
        within = decided(plain, frozenset(inside))
        if within == outside:
            continue
        region = Region(inside, tuple(word for word in words if word not in inside))
        for sign, condition in ((1, within), (-1, outside)):
            if condition != NEVER:
                reached = simplify(AllOf((condition, reach(field, words))))
                yield Summand(sign, Column(reached, by=field), region)


def needs_day(condition: Condition) -> bool:
    """Whether some viewer's share of a lowered condition looks at the days of two fields."""
    return len(words_by_field(condition)) > 1 and any(
        len(words_by_field(plain)) > 1 for plain in residuals(condition).values()
    )


def on_day(condition: Condition, day: LocalDay) -> Condition:
    """The same condition with each calendar word written out as the instants it means on that day."""

    def written_out(leaf: Leaf) -> Condition:
        if leaf.op != WITHIN:
            return leaf
        first, beyond = day.window(leaf.value)
        return Leaf(leaf.field, BETWEEN, (At(first), At(beyond - 1)))  # instants are whole microseconds

    return with_leaves(condition, written_out)


def words_by_field(condition: Condition) -> Mapping[str, tuple[str, ...]]:
    """The fields asked about with `within`, each with its words in their order."""
    found: dict[str, set[str]] = {}
    for leaf in leaves_of(condition):
        if leaf.op == WITHIN:
            found.setdefault(leaf.field, set()).add(leaf.value)
    return {field: tuple(word for word in WORDS if word in words) for field, words in sorted(found.items())}


def decided(condition: Condition, inside: frozenset[str]) -> Condition:
    """The condition for tickets whose instant lies within exactly these of the words."""
    return simplify(with_leaves(condition, lambda leaf: Const(leaf.value in inside) if leaf.op == WITHIN else leaf))


def reach(field: str, words: tuple[str, ...]) -> Condition:
    """Holds for the instants that one of the words may mean somewhere soon: others are not kept by time."""
    back = max(_REACH_DAYS[word][0] for word in words) + _MARGIN_DAYS
    ahead = max(_REACH_DAYS[word][1] for word in words) + _MARGIN_DAYS
    return AllOf((Leaf(field, "newer_than", back * _DAY_US), Leaf(field, "older_than", -ahead * _DAY_US)))


def _possible(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The sets of words that one instant can lie within together, but for none at all."""
    for size in range(1, len(words) + 1):
        for chosen in combinations(words, size):
            if len(_SINGLE_DAYS.intersection(chosen)) <= 1:
                yield chosen


def _without(span: tuple[Instant, Instant], taken: tuple[Instant, Instant]) -> Iterator[tuple[Instant, Instant]]:
    """What is left of a span."""
    (first, beyond), (taken_first, taken_beyond) = span, taken
    if taken_first >= beyond or taken_beyond <= first or taken_first >= taken_beyond:
        yield span
        return
    if first < taken_first:
        yield first, taken_first
    if taken_beyond < beyond:
        yield taken_beyond, beyond
