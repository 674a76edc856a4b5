"""The condition language as values: what a saved filter or profile asks of a ticket. Pure, and knows no syntax."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec


class Question(StrEnum):
    """The only three things a condition may ask about the viewer; a ticket answers each with yes or no."""

    ASSIGNED = "A"
    """The assignee is me."""
    REQUESTED = "R"
    """The requester is me."""
    TEAM = "T"
    """The team is one of mine."""


class Const(msgspec.Struct, frozen=True, tag="const", array_like=True):
    """Holds for every ticket, or for none."""

    holds: bool


class Asks(msgspec.Struct, frozen=True, tag="asks", array_like=True):
    """Holds when the ticket answers the question with yes."""

    question: Question


class At(msgspec.Struct, frozen=True, tag="at"):
    """A fixed instant as a leaf's value, in microseconds since the epoch."""

    us: int


class FromNow(msgspec.Struct, frozen=True, tag="now"):
    """`@now` plus an offset (negative: before) in microseconds, as a leaf's value."""

    offset_us: int


Scalar = bool | int | float | str | At | FromNow

if TYPE_CHECKING:
    # What a value is follows from its operator, which types can't say: who reads one knows which operator it has.
    LeafValue = Any
else:
    # msgspec needs the exact shapes to give back equal tuples and instants from a stored condition.
    LeafValue = Scalar | tuple[Scalar | tuple[str, ...], ...] | None


class Leaf(msgspec.Struct, frozen=True, tag="leaf", array_like=True):
    """One field, one operator, one value.

    `value` is None for operators without one, a scalar (text, number, bool; on instants `At` or `FromNow`),
    a duration in microseconds (`older_than`, `newer_than`, `due_within`), a word (`within`), or a tuple of scalars.
    """

    field: str
    op: str
    value: LeafValue = None


class AllOf(msgspec.Struct, frozen=True, tag="all", array_like=True):
    """Every child holds; with no children it holds always."""

    children: tuple["Condition", ...]


class AnyOf(msgspec.Struct, frozen=True, tag="any", array_like=True):
    """At least one child holds; with no children it never holds."""

    children: tuple["Condition", ...]


class Not(msgspec.Struct, frozen=True, tag="not", array_like=True):
    """The child doesn't hold. Plain negation, also for empty fields."""

    child: "Condition"


Condition = Const | Asks | Leaf | AllOf | AnyOf | Not

ALWAYS = Const(True)
NEVER = Const(False)


def leaves_of(condition: Condition) -> Iterator[Leaf]:
    """Every leaf, from left to right."""
    match condition:
        case Leaf():
            yield condition
        case AllOf(children) | AnyOf(children):
            for child in children:
                yield from leaves_of(child)
        case Not(child):
            yield from leaves_of(child)


def with_leaves(condition: Condition, changed: Callable[[Leaf], Condition]) -> Condition:
    """The same tree with what `changed` makes of each leaf in its place."""
    match condition:
        case Leaf():
            return changed(condition)
        case AllOf(children):
            return AllOf(tuple(with_leaves(child, changed) for child in children))
        case AnyOf(children):
            return AnyOf(tuple(with_leaves(child, changed) for child in children))
        case Not(child):
            return Not(with_leaves(child, changed))
    return condition


class ConditionError(ValueError):
    """This `where` doesn't compile; `path` points at the node (`where.all[2].op`)."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem
