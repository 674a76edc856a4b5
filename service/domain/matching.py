"""Which columns a ticket counts in, as one bit mask: tables per field, AND-ed. Pure; keeps memos of its own only.

A column is a conjunction. Each conjunct that reads a single field that time doesn't touch goes into that field's
table, value -> mask of the columns it leaves possible, filled as values are met. The rest is a compiled function,
called only for the columns that are still possible.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import cast

from service.domain.columns import fields_of
from service.domain.condition import AllOf, AnyOf, Condition, Const, Leaf, Not
from service.domain.predicates import predicate, time_dependent
from service.domain.ticket import Instant, Ticket

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


class Columns:
    """The columns of one tenant, numbered, ready to be asked about tickets."""

    def __init__(self, conditions: Mapping[int, Condition]) -> None:
        self.numbers = frozenset(conditions)
        self._every = 0
        self._rest: list[tuple[int, Callable[[Ticket, Instant], bool]]] = []
        tables: dict[str, dict[int, list[Condition]]] = {}
        for number, condition in conditions.items():
            if condition == Const(False):
                continue
            self._every |= 1 << number
            for conjunct in condition.children if isinstance(condition, AllOf) else (condition,):
                self._place(number, conjunct, tables)
        made = [(getter(field), _Table(parts, self._every)) for field, parts in tables.items()]
        # Getter and memo beside the table: a call less for each field of each event.
        self._tables = [(get, table.known, table) for get, table in made]

    def _place(self, number: int, conjunct: Condition, tables: dict[str, dict[int, list[Condition]]]) -> None:
        fields = fields_of(conjunct)
        if not fields:
            return
        if len(fields) == 1 and not _watches_time(conjunct):
            tables.setdefault(next(iter(fields)), {}).setdefault(number, []).append(conjunct)
        else:
            self._rest.append((1 << number, compiled(conjunct)))

    def mask(self, ticket: Ticket, now: Instant) -> int:
        """Bit N is set when the ticket counts in column N at `now`."""
        mask = self._every
        for get, known, table in self._tables:
            value = get(ticket)
            # 1, 1.0 and True are one key to a dict and three values to a filter; lists and objects are no key at all.
            possible = known.get(value) if value.__class__ in _MEMOIZED else table.compute(value)
            mask &= table.learn(value) if possible is None else possible
        for bit, holds in self._rest:
            if mask & bit and not holds(ticket, now):
                mask ^= bit
        return mask


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


def _watches_time(condition: Condition) -> bool:
    match condition:
        case Leaf():
            return condition.field != "state" and time_dependent(condition)
        case AllOf(children) | AnyOf(children):
            return any(_watches_time(child) for child in children)
        case Not(child):
            return _watches_time(child)
    return False
