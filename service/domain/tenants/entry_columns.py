"""Conditions of catalogue entries: lowered, their columns, and their signed sums. Pure; remembers what it worked out.

A tenant's entries are looked at again with each edit of one of them, and hardly any has changed: working out the
columns of a filter takes 200 µs, and looking them up by what it says two.
"""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from service.domain.catalogue.catalogue import TenantSettings
from service.domain.conditions.condition import Condition
from service.domain.counting.columns import Column, ColumnId, column_id, residuals, written
from service.domain.counting.scopes import Term, signed_sum
from service.domain.counting.viewer import Perspective, Role
from service.domain.counting.windows import needs_day, summands
from service.domain.tenants.lowering import lower
from service.lru import Lru

REMEMBERED_BYTES = 32 << 20
"""For each of the three memories, in one process: some 8,000 filters of ten leaves."""

_ENTRY_BYTES, _BYTES_PER_WRITTEN = 1_000, 10
"""What remembering one takes besides, and for each byte that it is long when written down. Measured, roughly."""


class _Lowered(NamedTuple):
    condition: Condition
    weight: int


class _Columns(NamedTuple):
    columns: Mapping[ColumnId, Column] | None
    weight: int


_lowered: Lru[tuple[bytes, bytes], _Lowered] = Lru(REMEMBERED_BYTES, lambda entry: entry.weight)
_columns: Lru[bytes, _Columns] = Lru(REMEMBERED_BYTES, lambda entry: entry.weight)


class _Sum(NamedTuple):
    terms: tuple[Term, ...]
    weight: int


_sums: Lru[tuple[bytes, Role, Perspective], _Sum] = Lru(REMEMBERED_BYTES, lambda entry: entry.weight)


class Lowering:
    """Lowers the conditions of one tenant's entries."""

    def __init__(self, settings: TenantSettings) -> None:
        self._settings = settings
        statuses = [(status.id, status.closed) for status in settings.statuses]
        priorities = [(priority.id, priority.rank) for priority in settings.priorities]
        packed = msgspec.msgpack.encode((statuses, priorities))
        self._decides = hashlib.blake2b(packed, digest_size=16).digest()
        """Names all of the settings that lowering looks at."""

    def of(self, where: Condition) -> Condition:
        """The same as `lower`."""
        key = (self._decides, written(where))
        found = _lowered.get(key)
        if found is None:
            found = _Lowered(lower(where, self._settings), _weight(key[1]))
            _lowered.put(key, found)
        return found.condition


def columns_for(condition: Condition) -> Mapping[ColumnId, Column]:
    """The columns that all viewers of a lowered condition together need. Raises ValueError for one that needs a day."""
    found = columns_if_undated(condition)
    if found is None:
        raise ValueError(f"{condition!r} needs columns for a day")
    return found


def columns_if_undated(condition: Condition) -> Mapping[ColumnId, Column] | None:
    """The columns that all viewers of a lowered condition together need; None for one that `needs_day`."""
    key = written(condition)
    found = _columns.get(key)
    if found is None:
        columns = None if needs_day(condition) else _needed(condition)
        found = _Columns(columns, _weight(key))
        _columns.put(key, found)
    return found.columns


def terms_of(condition: Condition, role: Role, perspective: Perspective) -> tuple[Term, ...]:
    """The same as `signed_sum`."""
    key = (written(condition), role, perspective)
    found = _sums.get(key)
    if found is None:
        found = _Sum(signed_sum(condition, role, perspective), _weight(key[0]))
        _sums.put(key, found)
    return found.terms


def _needed(condition: Condition) -> dict[ColumnId, Column]:
    # Most of the eight are one object, and naming one costs more than all the rest.
    plains = {id(one): one for one in residuals(condition).values()}.values()
    return {column_id(one.column): one.column for plain in plains for one in summands(plain)}


def _weight(text: bytes) -> int:
    return _ENTRY_BYTES + _BYTES_PER_WRITTEN * len(text)
