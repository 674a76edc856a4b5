"""Calendar words in conditions: the columns kept by time that they need, and the spans that are summed. Pure.

"Created today" is a column kept by time: a count per quarter of an hour in UTC. An answer sums the quarters of the
viewer's local day: in Asia/Kathmandu (UTC+05:45) the 96 quarters from 18:15 UTC of the day before. A condition with
calendar words on two fields can't be counted this way: it needs columns for one date in one zone (`needs_day`).
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
"""The days before and after now that a word can reach, without zones and `_MARGIN_DAYS`."""

_MARGIN_DAYS = 3
"""One day for the longest local days and for skipped dates, and two days in which answers stay right while no consumer
runs."""

_SINGLE_DAYS = frozenset(("today", "yesterday", "tomorrow"))
"""No instant lies within two of these words."""

Span = tuple[int, int]
"""The first quarter of an hour since the epoch inside the span, and the first one after it."""


class Region(NamedTuple):
    """The instants within all of the words `inside` and within none of the words `outside`."""

    inside: tuple[str, ...]
    outside: tuple[str, ...]

    def spans(self, day: LocalDay) -> tuple[Span, ...]:
        """Returns the region's quarters on that day. `timezones` accepts only zones whose days begin on a quarter."""
        windows = [day.window(word) for word in self.inside]
        found = [(max(first for first, _ in windows), min(beyond for _, beyond in windows))]
        for word in self.outside:
            found = [part for span in found for part in _without(span, day.window(word))]
        return tuple((first // QUARTER_US, beyond // QUARTER_US) for first, beyond in found if first < beyond)


class Summand(NamedTuple):
    """`sign` times the tickets of a column; for a column kept by time, only those within the region."""

    sign: int
    column: Column
    region: Region | None


def summands(plain: Condition) -> Iterator[Summand]:
    """Yields the summands of a simplified condition without viewer questions. Raises ValueError if it `needs_day`.

    Example: "open and created today" has one summand: the column "open" by `createdAt`, within today. "Not created
    today" has two: every ticket, minus those created today.
    """
    calendar_words = words_by_field(plain)
    if not calendar_words:
        if plain != NEVER:
            yield Summand(1, Column(plain), None)
        return
    ((field, words),) = calendar_words.items()
    outside = within_exactly(plain, frozenset())
    if outside != NEVER:
        yield Summand(1, Column(outside), None)
    for inside in _possible(words):
        within = within_exactly(plain, frozenset(inside))
        if within == outside:
            continue
        region = Region(inside, tuple(word for word in words if word not in inside))
        for sign, condition in ((1, within), (-1, outside)):
            if condition != NEVER:
                reached = simplify(AllOf((condition, reach(field, words))))
                yield Summand(sign, Column(reached, by=field), region)


def needs_day(condition: Condition) -> bool:
    """Whether some residual of a lowered condition has calendar words on two fields."""
    return len(words_by_field(condition)) > 1 and any(
        len(words_by_field(plain)) > 1 for plain in residuals(condition).values()
    )


def on_day(condition: Condition, day: LocalDay) -> Condition:
    """Replaces each calendar word by its span of instants on that day."""

    def written_out(leaf: Leaf) -> Condition:
        if leaf.op != WITHIN:
            return leaf
        first, beyond = day.window(leaf.value)
        return Leaf(leaf.field, BETWEEN, (At(first), At(beyond - 1)))  # instants are whole microseconds

    return with_leaves(condition, written_out)


def words_by_field(condition: Condition) -> Mapping[str, tuple[str, ...]]:
    """Returns the fields with a `within` in the condition, and the words of each in the order of `WORDS`."""
    found: dict[str, set[str]] = {}
    for leaf in leaves_of(condition):
        if leaf.op == WITHIN:
            found.setdefault(leaf.field, set()).add(leaf.value)
    return {field: tuple(word for word in WORDS if word in words) for field, words in sorted(found.items())}


def within_exactly(condition: Condition, inside: frozenset[str]) -> Condition:
    """Returns the condition for tickets whose instant lies within exactly these words."""
    return simplify(with_leaves(condition, lambda leaf: Const(leaf.value in inside) if leaf.op == WITHIN else leaf))


def reach(field: str, words: tuple[str, ...]) -> Condition:
    """Returns a condition that holds for instants that the words may reach soon in any zone.

    It keeps all other tickets out of the column, so that old quarters need no space.
    """
    back = max(_REACH_DAYS[word][0] for word in words) + _MARGIN_DAYS
    ahead = max(_REACH_DAYS[word][1] for word in words) + _MARGIN_DAYS
    return AllOf((Leaf(field, "newer_than", back * _DAY_US), Leaf(field, "older_than", -ahead * _DAY_US)))


def _possible(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yields the non-empty sets of words that one instant can lie within at the same time."""
    for size in range(1, len(words) + 1):
        for chosen in combinations(words, size):
            if len(_SINGLE_DAYS.intersection(chosen)) <= 1:
                yield chosen


def _without(span: tuple[Instant, Instant], taken: tuple[Instant, Instant]) -> Iterator[tuple[Instant, Instant]]:
    """Yields the parts of a span that are not taken."""
    (first, beyond), (taken_first, taken_beyond) = span, taken
    if taken_first >= beyond or taken_beyond <= first or taken_first >= taken_beyond:
        yield span
        return
    if first < taken_first:
        yield first, taken_first
    if taken_beyond < beyond:
        yield taken_beyond, beyond
