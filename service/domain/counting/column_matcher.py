"""Which columns a ticket counts in, as one bit mask: tables per field, AND-ed. Pure; keeps memos of its own only.

A column's condition is a conjunction. Each conjunct that reads a single field that time doesn't touch goes into that
field's table, value -> mask of the columns it leaves possible, filled as values are met. The rest are functions, called
only for the columns that are still possible; those that time touches say when they hold, and are asked once for all
columns that have the same.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import NamedTuple, cast
from weakref import WeakSet

from service.domain.conditions.condition import NEVER, AllOf, AnyOf, Condition, Const, Leaf, Not, leaves_of
from service.domain.conditions.fields import FieldKind, kind_of
from service.domain.conditions.operators import EMPTINESS, EQUALITY, MEMBERSHIP
from service.domain.conditions.predicates import predicate, time_dependent, transitions_of
from service.domain.conditions.transitions import AT_ALL_TIMES, AT_NO_TIME, Transitions, both, either, inverted
from service.domain.conditions.values import instant_reader
from service.domain.counting.columns import Column, fields_of, written
from service.domain.steps import Steps, at_once
from service.domain.tickets.ticket import QUARTER_US, Instant, Ticket, TimeBucket

Holds = Callable[[object, Instant], bool]
Getter = Callable[[Ticket], object]

_MEMO_LIMIT = 4096
"""Values remembered per field: above any status or team list, and bounded where values are people."""

_MEMO_BYTES, _MEMO_ENTRY_BYTES, _LEAST_MEMO = 1 << 20, 150, 64
"""Bytes that a field's memo may take, one entry's without its mask, and how many there may be with the widest masks."""

_ALL_MEMOS_BYTES = 128 << 20
"""For the memos of all tenants in a process: a tenant with as many people as fit takes some 5 MB."""

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
    time_buckets: tuple[TimeBucket, ...]
    """Where it counts in those of them that are kept by time."""
    next_change_at: Instant | None
    """The first later instant at which the mask is another one; None when never."""


class ColumnMatcher:
    """The columns of one tenant, numbered, ready to be asked about tickets."""

    def __init__(self, columns: Mapping[int, Column]) -> None:
        at_once(self.build(columns))

    @classmethod
    def building(cls, columns: Mapping[int, Column]) -> Steps["ColumnMatcher"]:
        """The same step by step."""
        made = cls({})
        yield from made.build(columns)
        return made

    def build(self, columns: Mapping[int, Column]) -> Steps[None]:
        """Makes these the columns, step by step: before the last step there are none."""
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
        made = []
        for field, parts in tables.items():
            table = _Table(self._every)
            yield from table.build(parts)
            made.append((getter(field), table))
        # Getter and memo beside the table: a call less for each field of each event.
        self._tables = [(get, table.known, table) for get, table in made]

    def _place(
        self,
        number: int,
        column: Column,
        tables: dict[str, dict[int, list[Condition]]],
        moving: dict[bytes, tuple[Condition, int]],
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
            key = written(condition)
            moving[key] = (condition, moving.get(key, (condition, 0))[1] | 1 << number)

    def counted(self, ticket: Ticket, now: Instant) -> Counted:
        """What the ticket contributes at `now`."""
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


class _Memos:
    """Keeps the memos of all tables together within their bytes: at the limit they begin anew."""

    def __init__(self) -> None:
        self.tables: WeakSet[_Table] = WeakSet()
        self._left = _ALL_MEMOS_BYTES

    def take(self, size: int) -> None:
        """One more entry of this size is remembered."""
        self._left -= size
        if self._left < 0:
            for table in self.tables:
                table.known.clear()
            self._left = _ALL_MEMOS_BYTES - size


class _Table:
    """One field: value -> columns that are still possible with it.

    Columns that ask the field the same are asked once, and what is decided by a list of values is looked up by the
    value, so that a tenant with a thousand statuses costs no more than one with ten.
    """

    __slots__ = ("__weakref__", "_asked", "_entry_bytes", "_memo_limit", "_named", "_unnamed", "known")

    def __init__(self, every: int) -> None:
        self._asked: list[tuple[int, list[Holds]]] = []
        self._unnamed = every
        """What is possible with a value that no list has, but for `_asked`."""
        self._named: dict[object, list[int]] = {}
        """Value -> columns for which it is otherwise than for one that no list has."""
        self._entry_bytes = _MEMO_ENTRY_BYTES + every.bit_length() // 8
        self._memo_limit = max(_LEAST_MEMO, min(_MEMO_LIMIT, _MEMO_BYTES // self._entry_bytes))
        self.known: dict[object, int] = {}
        _memos.tables.add(self)

    def build(self, parts: Mapping[int, Iterable[Condition]]) -> Steps[None]:
        """Takes the conditions on this field, by column."""
        groups: dict[bytes, tuple[tuple[Condition, ...], int]] = {}
        for number, conjuncts in parts.items():
            asked = tuple(conjuncts)
            key = written(*asked)
            groups[key] = (asked, groups.get(key, (asked, 0))[1] | 1 << number)
        for asked, bits in groups.values():
            holds = [_on_value(conjunct) for conjunct in asked]
            listed = [values_listed(conjunct) for conjunct in asked]
            if any(values is None for values in listed):
                self._asked.append((bits, holds))
            else:
                self._name(bits, holds, frozenset().union(*(values or () for values in listed)))
            yield

    def _name(self, bits: int, holds: list[Holds], values: frozenset[object]) -> None:
        unnamed = "\0"
        while unnamed in values:
            unnamed += "\0"
        usual = all(one(unnamed, 0) for one in holds)
        if not usual:
            self._unnamed &= ~bits
        for value in values | {None, ""}:
            if all(one(value, 0) for one in holds) is not usual:
                self._named.setdefault(value, []).append(bits)

    def learn(self, value: object) -> int:
        """Computes the mask of a value and remembers it."""
        if len(self.known) >= self._memo_limit:
            self.known.clear()
        _memos.take(self._entry_bytes)
        mask = self.known[value] = self.compute(value)
        return mask

    def compute(self, value: object) -> int:
        mask = self._unnamed
        if self._named:  # then values of this field are texts, or None
            for bits in self._named.get(value, ()):
                mask ^= bits
        for bits, conjuncts in self._asked:
            if not all(holds(value, 0) for holds in conjuncts):
                mask &= ~bits
        return mask


_memos = _Memos()


def values_listed(condition: Condition) -> frozenset[object] | None:
    """The texts on which alone it depends whether a condition on one field holds; None for any other condition.

    Whatever isn't among them, nor empty, is all the same to the condition.
    """
    match condition:
        case Leaf(field, op, value) if kind_of(field) in (FieldKind.TEXT, FieldKind.RANKED):
            if op in EMPTINESS:
                return frozenset()
            if op in EQUALITY | MEMBERSHIP:
                return frozenset(value if op in MEMBERSHIP else (value,))
        case Not(child):
            return values_listed(child)
        case AllOf(children) | AnyOf(children):
            found = [values_listed(child) for child in children]
            return None if None in found else frozenset().union(*(values or () for values in found))
    return None


def _kind(field: str) -> FieldKind:
    kind = kind_of(field)
    assert kind is not None
    return kind


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


def holding(condition: Condition, ticket: Ticket, now: Instant) -> Steps[bool]:
    """Whether a plain condition holds for a ticket at an instant, leaf by leaf."""
    match condition:
        case Not(child):
            return not (yield from holding(child, ticket, now))
        case AllOf(children) | AnyOf(children):
            decides = isinstance(condition, AnyOf)
            for child in children:
                if (yield from holding(child, ticket, now)) is decides:
                    return decides
            return not decides
    yield
    return compiled(condition)(ticket, now)


def compiled_transitions(condition: Condition) -> Callable[[Ticket], Transitions]:
    """A function that says when a plain condition holds for a ticket."""
    match condition:
        case Leaf(field) if _watches_time(condition):
            read, transitions = getter(field), transitions_of(condition)
            return lambda ticket: transitions(read(ticket))
        case Not(child):
            inner = compiled_transitions(child)
            return lambda ticket: inverted(inner(ticket))
        case AllOf(children):
            return _combined(_transitions_of_all(children), both, AT_ALL_TIMES)
        case AnyOf(children):
            return _combined(_transitions_of_all(children), either, AT_NO_TIME)
    holds = compiled(condition)
    return lambda ticket: AT_ALL_TIMES if holds(ticket, 0) else AT_NO_TIME


def _transitions_of_all(children: tuple[Condition, ...]) -> tuple[Callable[[Ticket], Transitions], ...]:
    # A leaf first: for most tickets, which have no such deadline, it ends the matter.
    return tuple(compiled_transitions(child) for child in sorted(children, key=_asks_more_than_time))


def _asks_more_than_time(condition: Condition) -> bool:
    return not (isinstance(condition, Leaf) and _watches_time(condition))


def _combined(
    parts: tuple[Callable[[Ticket], Transitions], ...],
    combine: Callable[[Transitions, Transitions], Transitions],
    neutral: Transitions,
) -> Callable[[Ticket], Transitions]:
    final = inverted(neutral)

    def transitions(ticket: Ticket) -> Transitions:
        found = neutral
        for part in parts:
            found = combine(found, part(ticket))
            if found == final:
                break
        return found

    return transitions


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
