"""Lowers the conditions of catalogue entries, and computes their columns and signed sums. Pure; keeps caches.

Each edit of one entry computes the columns of all entries of the tenant, and hardly any has changed. Computing the
columns of a filter takes 200 µs; looking them up in the cache takes 2 µs.
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
"""For each of the three caches in a process: some 8,000 filters of ten leaves."""

_ENTRY_BYTES, _BYTES_PER_WRITTEN = 1_000, 10
"""The bytes of a cache entry, and those for each byte of the encoded condition. Measured, roughly."""


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
        """The hash of all settings that lowering reads."""

    def of(self, where: Condition) -> Condition:
        """Returns `lower(where, settings)`, cached."""
        key = (self._decides, written(where))
        found = _lowered.get(key)
        if found is None:
            found = _Lowered(lower(where, self._settings), _weight(key[1]))
            _lowered.put(key, found)
        return found.condition


def columns_for(condition: Condition) -> Mapping[ColumnId, Column]:
    """Returns the columns that a lowered condition needs for all viewers. Raises ValueError if it `needs_day`."""
    found = columns_if_undated(condition)
    if found is None:
        raise ValueError(f"{condition!r} needs the columns of one day")
    return found


def columns_if_undated(condition: Condition) -> Mapping[ColumnId, Column] | None:
    """Returns the columns that a lowered condition needs for all viewers, or None if it `needs_day`."""
    key = written(condition)
    found = _columns.get(key)
    if found is None:
        columns = None if needs_day(condition) else _needed(condition)
        found = _Columns(columns, _weight(key))
        _columns.put(key, found)
    return found.columns


def terms_of(condition: Condition, role: Role, perspective: Perspective) -> tuple[Term, ...]:
    """Returns `signed_sum(condition, role, perspective)`, cached."""
    key = (written(condition), role, perspective)
    found = _sums.get(key)
    if found is None:
        found = _Sum(signed_sum(condition, role, perspective), _weight(key[0]))
        _sums.put(key, found)
    return found.terms


def _needed(condition: Condition) -> dict[ColumnId, Column]:
    # Most of the eight residuals are one object, and computing its id costs more than everything else.
    plains = {id(one): one for one in residuals(condition).values()}.values()
    return {column_id(one.column): one.column for plain in plains for one in summands(plain)}


def _weight(text: bytes) -> int:
    return _ENTRY_BYTES + _BYTES_PER_WRITTEN * len(text)
