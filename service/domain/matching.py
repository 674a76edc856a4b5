"""Which columns a ticket counts in, as one bit mask: tables per field, AND-ed. Pure; keeps memos of its own only.

A column's condition is a conjunction. Each conjunct that reads a single field that time doesn't touch goes into that
field's table, value -> mask of the columns it leaves possible, filled as values are met. The rest are functions, called
only for the columns that are still possible; those that time touches say when they hold, and are asked once for all
columns that have the same.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import NamedTuple, cast

from service.domain.columns import Column, fields_of
from service.domain.condition import NEVER, AllOf, AnyOf, Condition, Const, Leaf, Not, leaves_of
from service.domain.fields import kind_of
from service.domain.flips import AT_ALL_TIMES, AT_NO_TIME, Flips, both, either, inverted
from service.domain.predicates import flips_of, predicate, time_dependent
from service.domain.ticket import QUARTER_US, Instant, Moment, Ticket
from service.domain.values import InstantOf, instant_reader

Holds = Callable[[object, Instant], bool]
Getter = Callable[[Ticket], object]

_MEMO_LIMIT = 4096
"""Values remembered per field: above any status or team list, and bounded where values are people."""

_MEMOIZED = frozenset((type(None), str, bool, tuple))
"""Types whose equal values are one value to every filter. Tuples are tags, and what `state` is read as."""

_ATTRIBUTES = {
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "dueAt": "due_at",
    "slaDueAt": "sla_due_at",
    "closedAt": "closed_at",
    "slaBreached": "sla_breached",
}


FARTHEST_CHANGE: Instant = 2**53 - 1
"""The year 2255: what would change later is not waited for, because stores hold no larger number exactly."""


class Counted(NamedTuple):
    """What a ticket contributes at an instant, and until when."""

    mask: int
    """Bit N is set when the ticket counts in column N."""
    moments: tuple[Moment, ...]
    """Where it counts in those of them that are kept by time."""
    next_change_at: Instant | None
    """The first later instant at which the mask is another one; None when never."""


class Columns:
    """The columns of one tenant, numbered, ready to be asked about tickets."""

    def __init__(self, columns: Mapping[int, Column]) -> None:
        self.numbers = frozenset(columns)
        self._every = 0
        self._rest: list[tuple[int, Callable[[Ticket, Instant], bool]]] = []
        self._timed: list[tuple[int, int, Getter, InstantOf]] = []
        tables: dict[str, dict[int, list[Condition]]] = {}
        moving: dict[Condition, int] = {}
        for number, column in columns.items():
            if column.condition != NEVER:
                self._every |= 1 << number
                self._place(number, column, tables, moving)
        self._moving = [(bits, ~bits, compiled_flips(condition)) for condition, bits in moving.items()]
        made = [(getter(field), _Table(parts, self._every)) for field, parts in tables.items()]
        # Getter and memo beside the table: a call less for each field of each event.
        self._tables = [(get, table.known, table) for get, table in made]

    def _place(
        self,
        number: int,
        column: Column,
        tables: dict[str, dict[int, list[Condition]]],
        moving: dict[Condition, int],
    ) -> None:
        watching = []
        condition = column.condition
        for conjunct in condition.children if isinstance(condition, AllOf) else (condition,):
            fields = fields_of(conjunct)
            if any(_watches_time(leaf) for leaf in leaves_of(conjunct)):
                watching.append(conjunct)
            elif len(fields) == 1:
                tables.setdefault(next(iter(fields)), {}).setdefault(number, []).append(conjunct)
            elif fields:
                self._rest.append((1 << number, compiled(conjunct)))
        if watching:
            condition = watching[0] if len(watching) == 1 else AllOf(tuple(watching))
            moving[condition] = moving.get(condition, 0) | 1 << number
        if column.by is not None:
            kind = kind_of(column.by)
            assert kind is not None
            self._timed.append((1 << number, number, getter(column.by), instant_reader(kind)))

    def counted(self, ticket: Ticket, now: Instant) -> Counted:
        """What the ticket contributes at `now`."""
        mask = self._steady(ticket)
        first = FARTHEST_CHANGE
        for bits, others, flips in self._moving:
            if mask & bits:
                holds = False
                for at in flips(ticket):
                    if at > now:
                        first = min(first, at)
                        break
                    holds = not holds
                if not holds:
                    mask &= others
        return Counted(mask, self._moments(ticket, mask), first if first < FARTHEST_CHANGE else None)

    def mask(self, ticket: Ticket, now: Instant) -> int:
        """The mask alone."""
        return self.counted(ticket, now).mask

    def _steady(self, ticket: Ticket) -> int:
        """The columns that are possible for this ticket at any time."""
        mask = self._every
        for get, known, table in self._tables:
            value = get(ticket)
            # 1, 1.0 and True are one key to a dict and three values to a filter; lists and objects are no key at all.
            possible = known.get(value) if value.__class__ in _MEMOIZED else table.compute(value)
            mask &= table.learn(value) if possible is None else possible
        for bit, holds in self._rest:
            if mask & bit and not holds(ticket, 0):
                mask ^= bit
        return mask

    def _moments(self, ticket: Ticket, mask: int) -> tuple[Moment, ...]:
        found = []
        for bit, number, get, instant in self._timed:
            if mask & bit and (at := instant(get(ticket))) is not None:
                found.append((number, at // QUARTER_US))
        return tuple(found)


class _Table:
    """One field: value -> columns that are still possible with it."""

    __slots__ = ("_every", "_parts", "known")

    def __init__(self, parts: Mapping[int, Iterable[Condition]], every: int) -> None:
        self._every = every
        self._parts = [(1 << number, [_on_value(part) for part in conjuncts]) for number, conjuncts in parts.items()]
        self.known: dict[object, int] = {}

    def learn(self, value: object) -> int:
        """Computes the mask of a value and remembers it."""
        if len(self.known) >= _MEMO_LIMIT:
            self.known.clear()
        mask = self.known[value] = self.compute(value)
        return mask

    def compute(self, value: object) -> int:
        mask = self._every
        for bit, conjuncts in self._parts:
            if not all(holds(value, 0) for holds in conjuncts):
                mask &= ~bit
        return mask


def getter(field: str) -> Getter:
    """Reads a stored field of a ticket; `state` is read as its status, `None` where its last event decides."""
    if field.startswith("fields."):
        name = field.removeprefix("fields.")
        return lambda ticket: ticket.fields.get(name)
    if field == "state":
        return lambda ticket: (ticket.status, ticket.closed_by_event)
    return attrgetter(_ATTRIBUTES.get(field, field))


def compiled(condition: Condition) -> Callable[[Ticket, Instant], bool]:
    """A function that says whether a plain condition holds for a ticket at an instant."""
    match condition:
        case Const(holds):
            return lambda ticket, now: holds
        case Leaf(field):
            read, test = getter(field), _on_value(condition)
            return lambda ticket, now: test(read(ticket), now)
        case Not(child):
            inner = compiled(child)
            return lambda ticket, now: not inner(ticket, now)
        case AllOf(children):
            parts = tuple(compiled(child) for child in children)
            return lambda ticket, now: all(part(ticket, now) for part in parts)
        case AnyOf(children):
            parts = tuple(compiled(child) for child in children)
            return lambda ticket, now: any(part(ticket, now) for part in parts)
    raise ValueError(f"{condition!r} still asks about the viewer")


def compiled_flips(condition: Condition) -> Callable[[Ticket], Flips]:
    """A function that says when a plain condition holds for a ticket."""
    match condition:
        case Leaf(field) if _watches_time(condition):
            read, flips = getter(field), flips_of(condition)
            return lambda ticket: flips(read(ticket))
        case Not(child):
            inner = compiled_flips(child)
            return lambda ticket: inverted(inner(ticket))
        case AllOf(children):
            return _combined(_flips_of_all(children), both, AT_ALL_TIMES)
        case AnyOf(children):
            return _combined(_flips_of_all(children), either, AT_NO_TIME)
    holds = compiled(condition)
    return lambda ticket: AT_ALL_TIMES if holds(ticket, 0) else AT_NO_TIME


def _flips_of_all(children: tuple[Condition, ...]) -> tuple[Callable[[Ticket], Flips], ...]:
    # A leaf first: for most tickets, which have no such deadline, it ends the matter.
    return tuple(compiled_flips(child) for child in sorted(children, key=_asks_more_than_time))


def _asks_more_than_time(condition: Condition) -> bool:
    return not (isinstance(condition, Leaf) and _watches_time(condition))


def _combined(
    parts: tuple[Callable[[Ticket], Flips], ...], combine: Callable[[Flips, Flips], Flips], neutral: Flips
) -> Callable[[Ticket], Flips]:
    final = inverted(neutral)

    def flips(ticket: Ticket) -> Flips:
        found = neutral
        for part in parts:
            found = combine(found, part(ticket))
            if found == final:
                break
        return found

    return flips


def _on_value(condition: Condition) -> Holds:
    """A function of one field's value, for a condition that reads no other field."""
    match condition:
        case Leaf(field="state", value=value):
            shut, known = frozenset(value[0]), frozenset(value[1])
            return lambda pair, now: _is_closed(pair, shut, known)
        case Leaf():
            return predicate(condition)
        case Not(child):
            inner = _on_value(child)
            return lambda value, now: not inner(value, now)
        case AllOf(children):
            parts = tuple(_on_value(child) for child in children)
            return lambda value, now: all(part(value, now) for part in parts)
        case AnyOf(children):
            parts = tuple(_on_value(child) for child in children)
            return lambda value, now: any(part(value, now) for part in parts)
    raise ValueError(f"{condition!r} reads no field")


def _is_closed(pair: object, shut: frozenset[str], known: frozenset[str]) -> bool:
    status, by_event = cast(tuple[str, bool], pair)
    return status in shut or (by_event and status not in known)


def _watches_time(leaf: Leaf) -> bool:
    return leaf.field != "state" and time_dependent(leaf)
