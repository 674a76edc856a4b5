"""Marks: what holds for somebody for a while and then is gone by itself, a penalty or a proof. Holds types only.

They are kept in the store, so that all workers and processes share them. All marks of one *scope* are kept together.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Mark(NamedTuple):
    """`kind` tells what it means, `holder` for whom within the scope."""

    kind: str
    holder: str = ""


class Extension(NamedTuple):
    """A mark lasts so much longer, at most `most_s` from now."""

    mark: Mark
    by_s: float
    most_s: float


class MarkStore(Protocol):
    """Raises StoreUnavailable."""

    async def marks_left(self, scope: str, marks: Sequence[Mark]) -> Sequence[float]:
        """For how many seconds each of these still holds; 0.0 for one that doesn't."""

    async def extend_marks(self, scope: str, extensions: Sequence[Extension]) -> None:
        """Has all of these last longer in one step, beginning with those that don't hold yet."""

    async def drop_mark(self, scope: str, mark: Mark) -> None:
        """It holds no more."""
