"""The condition of a saved filter or profile as a tree of values. Pure; knows no JSON syntax."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec


class Question(StrEnum):
    """The three viewer questions of the language. For one viewer each ticket answers each of them with yes or no."""

    ASSIGNED = "A"
    """Is the viewer the assignee?"""
    REQUESTED = "R"
    """Is the viewer the requester?"""
    TEAM = "T"
    """Is the viewer in the ticket's team?"""


class Const(msgspec.Struct, frozen=True, tag="const", array_like=True):
    """Holds for every ticket (`holds`), or for none."""

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
    # The type of a value depends on its operator, which type hints can't express. Code that reads a value checks the
    # operator first.
    LeafValue = Any
else:
    # msgspec needs the exact types to decode a stored condition into equal tuples and instants.
    LeafValue = Scalar | tuple[Scalar | tuple[str, ...], ...] | None


class Leaf(msgspec.Struct, frozen=True, tag="leaf", array_like=True):
    """One field, one operator, one value.

    `value` is None for operators without one, a scalar (text, number, bool; on instants `At` or `FromNow`),
    a duration in microseconds (`older_than`, `newer_than`, `due_within`), a calendar word (`within`), or a tuple of
    scalars.
    """

    field: str
    op: str
    value: LeafValue = None


class AllOf(msgspec.Struct, frozen=True, tag="all", array_like=True):
    """Holds when every child holds, so always with no children."""

    children: tuple["Condition", ...]


class AnyOf(msgspec.Struct, frozen=True, tag="any", array_like=True):
    """Holds when at least one child holds, so never with no children."""

    children: tuple["Condition", ...]


class Not(msgspec.Struct, frozen=True, tag="not", array_like=True):
    """Holds when the child doesn't, also for empty fields."""

    child: "Condition"


Condition = Const | Asks | Leaf | AllOf | AnyOf | Not

ALWAYS = Const(True)
NEVER = Const(False)


def leaves_of(condition: Condition) -> Iterator[Leaf]:
    """Yields every leaf, from left to right."""
    match condition:
        case Leaf():
            yield condition
        case AllOf(children) | AnyOf(children):
            for child in children:
                yield from leaves_of(child)
        case Not(child):
            yield from leaves_of(child)


def with_leaves(condition: Condition, changed: Callable[[Leaf], Condition]) -> Condition:
    """Returns the tree with each leaf replaced by `changed(leaf)`."""
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
    """A `where` doesn't compile. `path` is the path of the wrong node (`where.all[2].op`)."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem
