"""Lowers conditions: replaces ranks, `state` and `slaBreached` by conditions on stored fields. Pure.

The replacement contains the tenant's statuses and ranks. So equal meanings give equal columns, and an edited status or
rank gives a new column. Example: `priority >= "high"` becomes `priority in ("high", "urgent")`.
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
    """Replaces every leaf that depends on the catalogue by one on stored fields."""
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


@lru_cache(maxsize=8)  # needed for every filter of a tenant
def closed(settings: TenantSettings) -> Leaf:
    """Returns the condition "closed": the status entry decides; for an unknown status, the ticket's last event."""
    shut = tuple(sorted(status.id for status in settings.statuses if status.closed))
    known = tuple(sorted(status.id for status in settings.statuses))
    return Leaf("state", "closed", (shut, known))


def breached(settings: TenantSettings) -> Condition:
    """Returns the condition `slaBreached`: the flag is set, or the ticket is open after its SLA deadline."""
    return AnyOf((BREACHED_FLAG, AllOf((Not(closed(settings)), Leaf("slaDueAt", "before", FromNow(0))))))


def _two_valued(leaf: Leaf, like: str, holds: Condition, yes: object, no: object) -> Condition:
    """Lowers a leaf on a field with two values: evaluates it for both, with the operators of the field `like`."""
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
