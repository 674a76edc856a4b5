"""Compiles conditions without viewer questions into functions of tickets, and of one field's value. Pure."""

from collections.abc import Callable
from operator import attrgetter
from typing import cast

from service.domain.conditions.condition import AllOf, AnyOf, Condition, Const, Leaf, Not
from service.domain.conditions.predicates import predicate, time_dependent, transitions_of
from service.domain.conditions.transitions import AT_ALL_TIMES, AT_NO_TIME, Transitions, both, either, inverted
from service.domain.steps import Steps
from service.domain.tickets.ticket import Instant, Ticket

Holds = Callable[[object, Instant], bool]
Getter = Callable[[Ticket], object]

_ATTRIBUTES = {
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "dueAt": "due_at",
    "slaDueAt": "sla_due_at",
    "closedAt": "closed_at",
    "slaBreached": "sla_breached",
}


def getter(field: str) -> Getter:
    """Returns the function that reads a field of a ticket. `state` is read as (status, closed by its last event)."""
    if field.startswith("fields."):
        name = field.removeprefix("fields.")
        return lambda ticket: ticket.fields.get(name)
    if field == "state":
        return lambda ticket: (ticket.status, ticket.closed_by_event)
    return attrgetter(_ATTRIBUTES.get(field, field))


def compiled(condition: Condition) -> Callable[[Ticket, Instant], bool]:
    """Compiles a condition without viewer questions into a function of a ticket and an instant."""
    match condition:
        case Const(holds):
            return lambda ticket, now: holds
        case Leaf(field):
            read, test = getter(field), on_value(condition)
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
    raise ValueError(f"{condition!r} contains a viewer question")


def holding(condition: Condition, ticket: Ticket, now: Instant) -> Steps[bool]:
    """Evaluates a condition without viewer questions for a ticket at an instant, one leaf per step."""
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
    """Compiles a condition without viewer questions into a function from a ticket to transitions."""
    match condition:
        case Leaf(field) if watches_time(condition):
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
    # Time-dependent leaves first: most tickets have no such deadline, so the first leaf decides.
    return tuple(compiled_transitions(child) for child in sorted(children, key=_isnt_time_leaf))


def _isnt_time_leaf(condition: Condition) -> bool:
    return not (isinstance(condition, Leaf) and watches_time(condition))


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


def on_value(condition: Condition) -> Holds:
    """Compiles a condition that reads only one field into a function of the field's value."""
    match condition:
        case Leaf(field="state", value=value):
            shut, known = frozenset(value[0]), frozenset(value[1])
            return lambda pair, now: _is_closed(pair, shut, known)
        case Leaf():
            return predicate(condition)
        case Not(child):
            inner = on_value(child)
            return lambda value, now: not inner(value, now)
        case AllOf(children):
            parts = tuple(on_value(child) for child in children)
            return lambda value, now: all(part(value, now) for part in parts)
        case AnyOf(children):
            parts = tuple(on_value(child) for child in children)
            return lambda value, now: any(part(value, now) for part in parts)
    raise ValueError(f"{condition!r} reads no field")


def _is_closed(pair: object, shut: frozenset[str], known: frozenset[str]) -> bool:
    status, by_event = cast(tuple[str, bool], pair)
    return status in shut or (by_event and status not in known)


def watches_time(leaf: Leaf) -> bool:
    return leaf.field != "state" and time_dependent(leaf)
