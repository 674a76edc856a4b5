"""Transitions: the instants at which a condition starts or stops to hold, and their and, or, not. Pure."""

from bisect import bisect_right

from service.domain.tickets.ticket import Instant

Transitions = tuple[Instant, ...]
"""Ascending. The condition holds from the first instant until just before the second, again from the third, and so on.

Example: `(10, 20, 50)` holds for 10 <= now < 20 and for now >= 50.
"""

BEGINNING: Instant = -(2**63)
"""Earlier than any instant of a ticket or clock minus the longest duration."""

AT_NO_TIME: Transitions = ()
AT_ALL_TIMES: Transitions = (BEGINNING,)


def held(transitions: Transitions, now: Instant) -> bool:
    """Whether a condition with these transitions holds at `now`."""
    return bisect_right(transitions, now) % 2 == 1


def inverted(transitions: Transitions) -> Transitions:
    """Returns the transitions of the negation."""
    return transitions[1:] if transitions and transitions[0] == BEGINNING else (BEGINNING, *transitions)


def both(one: Transitions, other: Transitions) -> Transitions:
    """Returns the transitions of "one and other"."""
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
    """Returns the transitions of "one or other"."""
    if not one:
        return other
    if not other:
        return one
    return inverted(both(inverted(one), inverted(other)))
