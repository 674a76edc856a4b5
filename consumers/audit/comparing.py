"""Compares a stored counter with the recount of its tickets. Pure."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

from service.domain.counting.contributions import column_changes
from service.domain.counting.recount import Recount
from service.store.apply_plan import timed_fields
from service.store.ports.auditing import RightCounter, StoredCounter

_Key = TypeVar("_Key", int, str)

_TIMED = "by time"
"""Marks a wrong cell among the time buckets. No part has this name."""


class WrongCell(NamedTuple):
    """One cell whose stored count differs from the recount."""

    counter: str
    part: str
    cell: str
    """The number of a column, or the field of a time bucket."""
    stored: int
    right: int


def wrong_cells(counter: str, stored: StoredCounter, recount: Recount) -> list[WrongCell]:
    """Returns every cell of the counter that is wrong, missing, or has a count without any ticket."""
    right = {part: column_changes(masks) for part, masks in recount.masks(counter).items()}
    found = [
        WrongCell(counter, part, str(column), count, should_be)
        for part in sorted(stored.columns.keys() | right.keys())
        for column, count, should_be in _differences(stored.columns.get(part, {}), right.get(part, {}))
    ]
    fields = timed_fields(counter, recount.time_buckets(counter))
    found += [WrongCell(counter, _TIMED, *difference) for difference in _differences(stored.fields, fields)]
    return found


def right_counter(counter: str, wrong: list[WrongCell], recount: Recount) -> RightCounter:
    """Returns the right values of the counter, for a repair."""
    return RightCounter(
        {part: dict(masks) for part, masks in recount.masks(counter).items()},
        {part: dict(time_buckets) for part, time_buckets in recount.time_buckets(counter).items()},
        {cell.cell: cell.right for cell in wrong if cell.part == _TIMED},
    )


def _differences(stored: Mapping[_Key, int], right: Mapping[_Key, int]) -> Iterator[tuple[_Key, int, int]]:
    for key in sorted(stored.keys() | right.keys()):
        if (count := stored.get(key, 0)) != (should_be := right.get(key, 0)):
            yield key, count, should_be
