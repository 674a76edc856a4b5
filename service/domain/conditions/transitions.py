"""Conditions as functions of time: the instants at which they change their mind, and how such rows combine. Pure."""

from bisect import bisect_right

from service.domain.tickets.ticket import Instant

Transitions = tuple[Instant, ...]
"""Ascending: a condition holds from the first of them until before the second, again from the third, and so on."""

BEGINNING: Instant = -(2**63)
"""Before every instant that a ticket or a clock can name, however long a duration is taken from it."""

AT_NO_TIME: Transitions = ()
AT_ALL_TIMES: Transitions = (BEGINNING,)


def held(transitions: Transitions, now: Instant) -> bool:
    """Whether a condition with these flips holds at `now`."""
    return bisect_right(transitions, now) % 2 == 1


def inverted(transitions: Transitions) -> Transitions:
    """Holds exactly where `transitions` doesn't."""
    return transitions[1:] if transitions and transitions[0] == BEGINNING else (BEGINNING, *transitions)


def both(one: Transitions, other: Transitions) -> Transitions:
    """Holds where one and the other do."""
    if not one or not other:
        return AT_NO_TIME
    if one == AT_ALL_TIMES:
        return other
    if other == AT_ALL_TIMES:
        return one
    found: list[Instant] = []
    for at in sorted({*one, *other}):
        if (held(one, at) and held(other, at)) is not (len(found) % 2 == 1):
            found.append(at)
    return tuple(found)


def either(one: Transitions, other: Transitions) -> Transitions:
    """Holds where one or the other does."""
    if not one:
        return other
    if not other:
        return one
    return inverted(both(inverted(one), inverted(other)))
