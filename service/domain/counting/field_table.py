"""The table of one field: value -> mask of the columns that are still possible. Pure; keeps only memos."""

from collections.abc import Iterable, Mapping
from weakref import WeakSet

from service.domain.conditions.condition import AllOf, AnyOf, Condition, Leaf, Not
from service.domain.conditions.fields import FieldKind, kind_of
from service.domain.conditions.operators import EMPTINESS, EQUALITY, MEMBERSHIP
from service.domain.counting.columns import written
from service.domain.counting.compiling import Holds, on_value
from service.domain.steps import Steps

_MEMO_LIMIT = 4096
"""Values per field in the memo: more than a tenant can have statuses, and a bound for fields that hold people."""

_MEMO_BYTES, _MEMO_ENTRY_BYTES, _LEAST_MEMO = 1 << 20, 150, 64
"""The bytes of one field's memo, the bytes of one entry without its mask, and the least number of entries."""

_ALL_MEMOS_BYTES = 128 << 20
"""For the memos of all tenants in a process. One tenant with full memos takes some 5 MB."""


class _Memos:
    """Bounds the bytes of all tables' memos together: at the limit all memos are cleared."""

    def __init__(self) -> None:
        self.tables: WeakSet[FieldTable] = WeakSet()
        self._left = _ALL_MEMOS_BYTES

    def take(self, size: int) -> None:
        """Takes the bytes of one more entry from the budget."""
        self._left -= size
        if self._left < 0:
            for table in self.tables:
                table.known.clear()
            self._left = _ALL_MEMOS_BYTES - size


class FieldTable:
    """The table of one field: value -> mask of the columns that are still possible.

    Columns with the same condition on the field share one evaluation. Conditions on a list of values are looked up by
    the value, so that a tenant with a thousand statuses costs no more than one with ten.
    """

    __slots__ = ("__weakref__", "_entry_bytes", "_evaluated", "_listed", "_memo_limit", "_unlisted", "known")

    def __init__(self, every: int) -> None:
        self._evaluated: list[tuple[int, list[Holds]]] = []
        self._unlisted = every
        """The mask for a value that is in no list, before `_evaluated` is applied."""
        self._listed: dict[object, list[int]] = {}
        """Value -> the columns whose bits differ from those in `_unlisted`."""
        self._entry_bytes = _MEMO_ENTRY_BYTES + every.bit_length() // 8
        self._memo_limit = max(_LEAST_MEMO, min(_MEMO_LIMIT, _MEMO_BYTES // self._entry_bytes))
        self.known: dict[object, int] = {}
        _memos.tables.add(self)

    def build(self, parts: Mapping[int, Iterable[Condition]]) -> Steps[None]:
        """Compiles the conditions on this field: column number -> conjuncts."""
        groups: dict[bytes, tuple[tuple[Condition, ...], int]] = {}
        for number, conjuncts in parts.items():
            condition = tuple(conjuncts)
            key = written(*condition)
            groups[key] = (condition, groups.get(key, (condition, 0))[1] | 1 << number)
        for condition, bits in groups.values():
            holds = [on_value(conjunct) for conjunct in condition]
            listed = [values_listed(conjunct) for conjunct in condition]
            if any(values is None for values in listed):
                self._evaluated.append((bits, holds))
            else:
                self._list_values(bits, holds, frozenset().union(*(values or () for values in listed)))
            yield

    def _list_values(self, bits: int, holds: list[Holds], values: frozenset[object]) -> None:
        """Adds columns whose condition compares only with `values`."""
        unlisted = "\0"
        while unlisted in values:
            unlisted += "\0"
        default = all(one(unlisted, 0) for one in holds)
        if not default:
            self._unlisted &= ~bits
        for value in values | {None, ""}:
            if all(one(value, 0) for one in holds) is not default:
                self._listed.setdefault(value, []).append(bits)

    def learn(self, value: object) -> int:
        """Computes the mask of a value and stores it in the memo."""
        if len(self.known) >= self._memo_limit:
            self.known.clear()
        _memos.take(self._entry_bytes)
        mask = self.known[value] = self.compute(value)
        return mask

    def compute(self, value: object) -> int:
        """Computes the mask of a value without the memo."""
        mask = self._unlisted
        if self._listed:  # only text fields have lists, so the value is a text or None
            for bits in self._listed.get(value, ()):
                mask ^= bits
        for bits, conjuncts in self._evaluated:
            if not all(holds(value, 0) for holds in conjuncts):
                mask &= ~bits
        return mask


_memos = _Memos()


def values_listed(condition: Condition) -> frozenset[object] | None:
    """Returns the texts that a condition on one text field compares with, or None for any other condition.

    The condition gives the same result for all values that are neither empty nor in this set.
    """
    match condition:
        case Leaf(field, op, value) if kind_of(field) in (FieldKind.TEXT, FieldKind.RANKED):
            if op in EMPTINESS:
                return frozenset()
            if op in EQUALITY | MEMBERSHIP:
                return frozenset(value if op in MEMBERSHIP else (value,))
        case Not(child):
            return values_listed(child)
        case AllOf(children) | AnyOf(children):
            found = [values_listed(child) for child in children]
            return None if None in found else frozenset().union(*(values or () for values in found))
    return None
