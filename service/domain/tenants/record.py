"""The record of one tenant: entries in force and pending, and the number and state of each column. Pure.

A changed catalogue never changes a count half-way. Entries that need new columns are `pending` until a backfill has
gone over every ticket; then they come into force in one step. The number of a retired column is reused only after a
whole backfill has cleared it in every ticket. Entries that are pending come into force together. A function named in
-ing, such as `adopting`, does the work of `adopted` in steps, between which other tasks run.
"""

from collections.abc import Collection
from itertools import count

import msgspec

from service.domain.counting.columns import EVERY_TICKET, SEMANTICS, Column, ColumnId
from service.domain.steps import Steps, at_once
from service.domain.tenants.tenant_entries import Entries, finding_columns


class TenantRecord(msgspec.Struct, frozen=True):
    """The stored record of one tenant. `version` and `entries` are those in force.

    Versions are offsets in the catalogue topic. `filling` are columns that are not evaluated for every ticket yet;
    `retired` are numbers that tickets may still hold. Each has the number of the change that made it so. Example: a
    column is filling since change 3, dropped at change 4, and filling again since change 5. A backfill that began at
    change 3 doesn't complete it.
    """

    version: int
    entries: Entries
    numbers: dict[ColumnId, int]
    pending_version: int | None = None
    pending: Entries | None = None
    filling: dict[ColumnId, int] = {}
    retired: dict[int, int] = {}
    semantics: int = SEMANTICS
    changes: int = 0
    """How often columns have been numbered or dropped."""

    @property
    def newest_version(self) -> int:
        """The catalogue offset of `newest`."""
        return self.version if self.pending_version is None else self.pending_version

    @property
    def newest(self) -> Entries:
        """The pending entries, else those in force. They decide which ids exist, and which viewers see them."""
        return self.entries if self.pending is None else self.pending


class Backfill(msgspec.Struct, frozen=True):
    """The columns that a pass over all tickets fills, and the numbers that it clears."""

    filling: dict[ColumnId, int]
    retired: dict[int, int]


def numbered(record: TenantRecord) -> dict[int, Column]:
    """Returns column number -> column, for every column that is in force or filling."""
    return at_once(numbering(record))


def numbering(record: TenantRecord) -> Steps[dict[int, Column]]:
    """Runs `numbered` step by step."""
    columns = yield from finding_columns(record.entries)
    if record.pending is not None:
        columns |= yield from finding_columns(record.pending)
    # Columns of older semantics are left out: this code can't evaluate them. Their numbers stay until they are retired.
    return {record.numbers[name]: column for name, column in columns.items() if name in record.numbers}


def evaluated_by(record: TenantRecord) -> dict[ColumnId, int]:
    """Returns column id -> number, for the columns that are evaluated for a ticket with this record."""
    numbers = numbered(record)
    return {name: number for name, number in record.numbers.items() if number in numbers}


def in_force(record: TenantRecord) -> dict[ColumnId, int]:
    """Returns column id -> number, for the columns that answers may use: those evaluated for every ticket."""
    return {name: number for name, number in record.numbers.items() if name not in record.filling}


def new_record(entries: Entries, version: int) -> TenantRecord:
    """Returns the record of a tenant without tickets: everything is in force at once."""
    return at_once(new_record_in_steps(entries, version))


def new_record_in_steps(entries: Entries, version: int) -> Steps[TenantRecord]:
    """Runs `new_record` step by step."""
    others = sorted(set((yield from finding_columns(entries))) - {EVERY_TICKET})
    numbers = {EVERY_TICKET: 0} | {name: number for number, name in enumerate(others, 1)}
    return TenantRecord(version, entries, numbers, semantics=SEMANTICS)


def adopted(record: TenantRecord, entries: Entries, version: int) -> TenantRecord:
    """Returns the record with newer entries: in force at once when they need no new column, else pending."""
    return at_once(adopting(record, entries, version))


def adopting(record: TenantRecord, entries: Entries, version: int) -> Steps[TenantRecord]:
    """Runs `adopted` step by step."""
    needed = set((yield from finding_columns(entries)))
    change = record.changes + 1
    if record.semantics == SEMANTICS:
        serving = set((yield from finding_columns(record.entries)))
    else:
        serving = record.numbers.keys() - record.filling
    wanted = needed | serving
    kept = {name: number for name, number in record.numbers.items() if name in wanted}
    retired = record.retired | _dropped(record.numbers, kept, change)
    taken = {*retired, *kept.values()}
    free = (number for number in count() if number not in taken)
    fresh = {name: next(free) for name in sorted(needed - set(kept))}
    filling = {name: since for name, since in record.filling.items() if name in needed} | dict.fromkeys(fresh, change)
    if filling:
        return msgspec.structs.replace(
            record,
            numbers=kept | fresh,
            pending=entries,
            pending_version=version,
            filling=filling,
            retired=retired,
            semantics=SEMANTICS,
            changes=change,
        )
    return _in_force(entries, version, needed, kept, retired, change)


def backfill_for(record: TenantRecord) -> Backfill | None:
    """Returns the backfill that this record needs, or None when nothing is filling or retired."""
    return Backfill(record.filling, record.retired) if record.filling or record.retired else None


def backfilled(record: TenantRecord, backfill: Backfill) -> TenantRecord:
    """Returns the record after `backfill` has gone over every ticket. It may have begun with an older record."""
    return at_once(backfilling(record, backfill))


def backfilling(record: TenantRecord, backfill: Backfill) -> Steps[TenantRecord]:
    """Runs `backfilled` step by step."""
    filling = {name: since for name, since in record.filling.items() if backfill.filling.get(name) != since}
    retired = {number: since for number, since in record.retired.items() if backfill.retired.get(number) != since}
    if record.pending is None or record.pending_version is None or filling:
        return msgspec.structs.replace(record, filling=filling, retired=retired)
    needed = set((yield from finding_columns(record.pending)))
    return _in_force(record.pending, record.pending_version, needed, record.numbers, retired, record.changes + 1)


def _in_force(
    entries: Entries,
    version: int,
    needed: Collection[ColumnId],
    numbers: dict[ColumnId, int],
    retired: dict[int, int],
    change: int,
) -> TenantRecord:
    kept = {name: number for name, number in numbers.items() if name in needed}
    retired = retired | _dropped(numbers, kept, change)
    return TenantRecord(version, entries, kept, retired=retired, semantics=SEMANTICS, changes=change)


def _dropped(numbers: dict[ColumnId, int], kept: dict[ColumnId, int], change: int) -> dict[int, int]:
    """Returns the numbers of columns that are not kept, as retired by this change."""
    return {number: change for name, number in numbers.items() if name not in kept}
