"""Rewrites a condition over one tenant's catalogue into a plain one: ranks, `state` and `slaBreached` become facts.

What is left names only stored fields, so that equal meanings get equal columns and an edited status or rank
gives a new column by itself. Pure.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from service.domain.catalogue.catalogue import TenantSettings
from service.domain.conditions.condition import ALWAYS, NEVER, AllOf, AnyOf, Condition, FromNow, Leaf, Not, with_leaves
from service.domain.conditions.predicates import predicate

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
}

BREACHED_FLAG = Leaf("slaBreached", "is_true")


def lower(condition: Condition, settings: TenantSettings) -> Condition:
    """The same condition with everything the catalogue decides written out."""
    return with_leaves(condition, lambda leaf: _written_out(leaf, settings))


def _written_out(leaf: Leaf, settings: TenantSettings) -> Condition:
    match leaf:
        case Leaf(field="state"):
            return _two_valued(leaf, "category", closed(settings), "closed", "open")
        case Leaf(field="slaBreached"):
            return _two_valued(leaf, "slaBreached", breached(settings), True, False)
        case Leaf(field="priority" | "status", op="lt" | "le" | "gt" | "ge" | "between"):
            return _ranked(leaf, settings)
    return leaf


@lru_cache(maxsize=8)  # each filter of a tenant asks, some of them often
def closed(settings: TenantSettings) -> Leaf:
    """A ticket is closed when its status entry says so; one the catalogue doesn't know, when its last event did."""
    shut = tuple(sorted(status.id for status in settings.statuses if status.closed))
    known = tuple(sorted(status.id for status in settings.statuses))
    return Leaf("state", "closed", (shut, known))


def breached(settings: TenantSettings) -> Condition:
    """What `slaBreached` says of a ticket: its flag, or it is open past its SLA's deadline."""
    return AnyOf((BREACHED_FLAG, AllOf((Not(closed(settings)), Leaf("slaDueAt", "before", FromNow(0))))))


def _two_valued(leaf: Leaf, like: str, holds: Condition, yes: object, no: object) -> Condition:
    """A leaf on a field that has only two values: asks it about both, as about values of the field `like`."""
    if leaf.op in ("is_empty", "is_not_empty"):
        return NEVER if leaf.op == "is_empty" else ALWAYS
    fits = predicate(Leaf(like, leaf.op, leaf.value))
    return _either((holds,) if fits(yes, 0) else (), (Not(holds),) if fits(no, 0) else ())


def _either(first: Iterable[Condition], second: Iterable[Condition]) -> Condition:
    return AnyOf((*first, *second))


def _ranked(leaf: Leaf, settings: TenantSettings) -> Condition:
    ranks: dict[str, float] = (
        {priority.id: priority.rank for priority in settings.priorities}
        if leaf.field == "priority"
        else {status.id: place for place, status in enumerate(settings.statuses)}
    )
    bounds = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    if any(bound not in ranks for bound in bounds):
        return NEVER
    if leaf.op == "between":
        low, high = (ranks[bound] for bound in bounds)
        chosen = [key for key, rank in ranks.items() if low <= rank <= high]
    else:
        chosen = [key for key, rank in ranks.items() if _ORDER[leaf.op](rank, ranks[bounds[0]])]
    return Leaf(leaf.field, "in", tuple(sorted(chosen))) if chosen else NEVER
