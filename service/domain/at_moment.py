"""A lowered condition as it stands at one instant in one time zone: local days and `slaBreached` written out. Pure."""

from datetime import tzinfo

from service.domain.catalogue import TenantSettings
from service.domain.condition import AllOf, AnyOf, At, Condition, FromNow, Leaf, Not
from service.domain.local_days import window
from service.domain.lowering import BREACHED_FLAG, closed
from service.domain.operators import BETWEEN, WITHIN
from service.domain.ticket import Instant


def at_moment(condition: Condition, settings: TenantSettings, now: Instant, zone: tzinfo) -> Condition:
    """The same condition in leaves that `predicate` can decide by a value and `now` alone."""
    match condition:
        case AllOf(children):
            return AllOf(tuple(at_moment(child, settings, now, zone) for child in children))
        case AnyOf(children):
            return AnyOf(tuple(at_moment(child, settings, now, zone) for child in children))
        case Not(child):
            return Not(at_moment(child, settings, now, zone))
        case Leaf(field, op, value) if op == WITHIN:
            first, beyond = window(value, now, zone)
            return Leaf(field, BETWEEN, (At(first), At(beyond - 1)))  # instants are whole microseconds
        case Leaf() if condition == BREACHED_FLAG:
            return breached(settings)
    return condition


def breached(settings: TenantSettings) -> Condition:
    """What `slaBreached` says of a ticket: its flag, or it is open past its SLA's deadline."""
    return AnyOf((BREACHED_FLAG, AllOf((Not(closed(settings)), Leaf("slaDueAt", "before", FromNow(0))))))
