"""Refuses conditions that compile but can't be kept exact yet, because time alone changes them. Pure."""

from service.domain.condition import AllOf, AnyOf, Condition, ConditionError, Leaf, Not
from service.domain.predicates import time_dependent


def refuse_uncounted(condition: Condition, path: str = "where") -> None:
    """Raises ConditionError for the first leaf that may change its mind without any event."""
    match condition:
        case Leaf(field, op):
            if time_dependent(condition):
                raise ConditionError(path, f"{field} {op} of a moving now isn't counted yet")
        case AllOf(children) | AnyOf(children):
            for child in children:
                refuse_uncounted(child, path)
        case Not(child):
            refuse_uncounted(child, path)
