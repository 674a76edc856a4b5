"""Computes the mask of a ticket: the columns that it counts in, one bit each. Pure; keeps only memos.

A column's condition is a conjunction. Each conjunct that reads one field and doesn't depend on time goes into that
field's table: value -> mask of the columns that are still possible. The mask of a ticket is the AND of its fields'
masks. The other conjuncts are functions, called only for columns that are still possible. Time-dependent ones return
transitions, and columns with equal time-dependent parts share one call.

Example: column 0 is `status = "open" and fields.a = 1`, column 1 is `status = "closed"`. The table of `status` maps
"open" to 0b01 and "closed" to 0b10, and the table of `fields.a` maps 1 to 0b11 and 2 to 0b10.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from service.domain.conditions.condition import NEVER, AllOf, Condition, leaves_of
from service.domain.conditions.fields import FieldKind, kind_of
from service.domain.conditions.values import instant_reader
from service.domain.counting.columns import Column, fields_of, written
from service.domain.counting.compiling import compiled, compiled_transitions, getter, watches_time
from service.domain.counting.field_table import FieldTable
from service.domain.steps import Steps, at_once
from service.domain.tickets.ticket import QUARTER_US, Instant, Ticket, TimeBucket

_MEMOIZED = frozenset((type(None), str, bool, tuple))
"""Types whose equal values are the same to every filter. Tuples are tags and the value of `state`."""

FARTHEST_CHANGE: Instant = 2**53 - 1
"""The year 2255. Later changes are ignored, because the store keeps them as doubles, exact only up to 2^53."""


class Counted(NamedTuple):
    """The contributions of a ticket at an instant, and the instant at which they change."""

    mask: int
    """Bit N is set when the ticket counts in column N."""
    time_buckets: tuple[TimeBucket, ...]
    """The quarter of an hour for each of those columns that is kept by time."""
    next_change_at: Instant | None
    """The first later instant at which the mask changes; None when never."""


class ColumnMatcher:
    """The numbered columns of one tenant, compiled."""

    def __init__(self, columns: Mapping[int, Column]) -> None:
        at_once(self.build(columns))

    @classmethod
    def building(cls, columns: Mapping[int, Column]) -> Steps["ColumnMatcher"]:
        """Builds a matcher step by step."""
        matcher = cls({})
        yield from matcher.build(columns)
        return matcher

    def build(self, columns: Mapping[int, Column]) -> Steps[None]:
        """Compiles the columns step by step. The matcher must not be used before the last step."""
        self.numbers = frozenset(columns)
        self._every = 0
        self._rest: list[tuple[int, Callable[[Ticket, Instant], bool]]] = []
        timed: dict[str, int] = {}
        tables: dict[str, dict[int, list[Condition]]] = {}
        moving: dict[bytes, tuple[Condition, int]] = {}
        for number, column in columns.items():
            if column.condition != NEVER:
                self._every |= 1 << number
                self._place(number, column, tables, moving)
                if column.by is not None:
                    timed[column.by] = timed.get(column.by, 0) | 1 << number
                yield
        self._timed = [(bits, getter(field), instant_reader(_kind(field))) for field, bits in timed.items()]
        self._moving = [(bits, ~bits, compiled_transitions(condition)) for condition, bits in moving.values()]
        built = []
        for field, parts in tables.items():
            table = FieldTable(self._every)
            yield from table.build(parts)
            built.append((getter(field), table))
        # Getter and memo are stored beside the table, which saves a call per field and event.
        self._tables = [(get, table.known, table) for get, table in built]

    def _place(
        self,
        number: int,
        column: Column,
        tables: dict[str, dict[int, list[Condition]]],
        moving: dict[bytes, tuple[Condition, int]],
    ) -> None:
        time_dependent_parts = []
        condition = column.condition
        for conjunct in condition.children if isinstance(condition, AllOf) else (condition,):
            fields = fields_of(conjunct)
            if any(watches_time(leaf) for leaf in leaves_of(conjunct)):
                time_dependent_parts.append(conjunct)
            elif len(fields) == 1:
                tables.setdefault(next(iter(fields)), {}).setdefault(number, []).append(conjunct)
            elif fields:
                self._rest.append((1 << number, compiled(conjunct)))
        if time_dependent_parts:
            parts = tuple(time_dependent_parts)
            condition = parts[0] if len(parts) == 1 else AllOf(parts)
            key = written(condition)
            moving[key] = (condition, moving.get(key, (condition, 0))[1] | 1 << number)

    def counted(self, ticket: Ticket, now: Instant) -> Counted:
        """Evaluates the ticket at `now`: its mask, its time buckets, and when time alone changes the mask."""
        mask = self._steady(ticket)
        first = FARTHEST_CHANGE
        for bits, others, transitions in self._moving:
            if mask & bits:
                holds = False
                for at in transitions(ticket):
                    if at > now:
                        first = min(first, at)
                        break
                    holds = not holds
                if not holds:
                    mask &= others
        return Counted(mask, self._time_buckets(ticket, mask), first if first < FARTHEST_CHANGE else None)

    def mask(self, ticket: Ticket, now: Instant) -> int:
        """Returns only the mask."""
        return self.counted(ticket, now).mask

    def _steady(self, ticket: Ticket) -> int:
        """Returns the mask without the time-dependent conditions: those columns are possible at some time."""
        mask = self._every
        for get, known, table in self._tables:
            value = get(ticket)
            # A dict takes 1, 1.0 and True for the same key, but True is another value for filters. Lists and objects
            # can't be keys.
            possible = known.get(value) if value.__class__ in _MEMOIZED else table.compute(value)
            mask &= table.learn(value) if possible is None else possible
        for bit, holds in self._rest:
            if mask & bit and not holds(ticket, 0):
                mask ^= bit
        return mask

    def _time_buckets(self, ticket: Ticket, mask: int) -> tuple[TimeBucket, ...]:
        found = []
        for bits, get, instant in self._timed:
            here = mask & bits
            if here and (at := instant(get(ticket))) is not None:
                quarter = at // QUARTER_US
                while here:
                    lowest = here & -here
                    found.append((lowest.bit_length() - 1, quarter))
                    here ^= lowest
        return tuple(found)


def _kind(field: str) -> FieldKind:
    kind = kind_of(field)
    assert kind is not None
    return kind
