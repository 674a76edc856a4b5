"""The record of one tenant: entries in force and pending, and the number and state of each column. Pure.

A changed catalogue never changes a count half-way. Entries that need new columns are `pending` until a backfill has
gone over every ticket; then they come into force in one step. The number of a retired column is reused only after a
whole backfill has cleared it in every ticket.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import count

import msgspec

from service.domain.catalogue.catalogue import Filter, Profile, TenantSettings
from service.domain.conditions.condition import ALWAYS, AllOf, Condition, FromNow, Leaf, Not
from service.domain.counting.columns import EVERY_TICKET, SEMANTICS, Column, ColumnId
from service.domain.counting.local_days import LocalDay
from service.domain.counting.windows import on_day
from service.domain.steps import Steps, at_once
from service.domain.tenants.entry_columns import Lowering, columns_if_undated
from service.domain.tenants.lowering import breached, closed

Pair = tuple[str, str]
"""A profile's id, and a filter's id or `SUMMARY`, that have columns together because a viewer requested them."""

ColumnDemand = tuple[str, str, str]
"""A request that needs columns of its own: a profile's id ("" for none), a filter's id or `SUMMARY`, and a time zone if
the condition has calendar words on two fields ("" if not)."""

SUMMARY = ""
"""Stands for the summary's conditions in place of a filter's id; no filter has this id."""


class Dated(msgspec.Struct, frozen=True):
    """A profile ("" for none) with a filter or `SUMMARY` that needs columns for one local day."""

    profile_id: str
    target: str
    day: LocalDay

    @property
    def demand(self) -> ColumnDemand:
        """The column demand that it fulfils on this day."""
        return self.profile_id, self.target, self.day.zone


class Entries(msgspec.Struct, frozen=True):
    """The newest valid catalogue entries of one tenant, and the on-demand columns that were requested."""

    settings: TenantSettings
    filters: dict[str, Filter] = {}
    profiles: dict[str, Profile] = {}
    pairs: frozenset[Pair] = frozenset()
    dated: frozenset[Dated] = frozenset()


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


def columns_of(entries: Entries) -> dict[ColumnId, Column]:
    """Returns every column that answers about these entries need, for any viewer."""
    return at_once(finding_columns(entries))


def finding_columns(entries: Entries) -> Steps[dict[ColumnId, Column]]:
    """Runs `columns_of` step by step."""
    filters = yield from counting(entries)
    bases = yield from _lowering_profiles(entries)
    columns = {EVERY_TICKET: Column(ALWAYS)}
    for condition in _conditions(entries, filters, bases):
        columns |= columns_if_undated(condition) or {}
        yield
    return columns


def _conditions(
    entries: Entries, filters: Mapping[str, Condition], bases: Mapping[str, Condition]
) -> Iterator[Condition]:
    """Yields every lowered condition to count. One that `needs_day` only for the days in `dated`."""
    summary = summary_conditions(entries.settings)
    without_profile = [("", name) for name in (*filters, SUMMARY)]
    for pair in (*without_profile, *entries.pairs):
        yield from _wholes(pair, bases, filters, summary)
    # A status with the id `all` can't be requested, but the form API counts it like the others.
    yield from (plain for name, plain in by_status(entries.settings).items() if filters[name] != plain)
    for dated in entries.dated:
        for whole in _wholes((dated.profile_id, dated.target), bases, filters, summary):
            if columns_if_undated(whole) is None:
                yield on_day(whole, dated.day)


def _wholes(
    pair: Pair, bases: Mapping[str, Condition], filters: Mapping[str, Condition], summary: Mapping[str, Condition]
) -> Iterator[Condition]:
    """Yields the conditions of the filter or the summary, each joined with the profile's if there is one."""
    profile_id, target = pair
    for condition in summary.values() if target == SUMMARY else (filters[target],):
        yield AllOf((bases[profile_id], condition)) if profile_id else condition


def with_demands(entries: Entries, pairs: Iterable[Pair], dated: Iterable[Dated]) -> Entries:
    """Returns the entries with these on-demand pairs and days, without those whose profile or filter is gone."""
    targets = {SUMMARY, *ids_of(entries)}
    return msgspec.structs.replace(
        entries,
        pairs=frozenset(pair for pair in pairs if pair[0] in entries.profiles and pair[1] in targets),
        dated=frozenset(
            one for one in dated if one.target in targets and (not one.profile_id or one.profile_id in entries.profiles)
        ),
    )


def ids_of(entries: Entries) -> Iterator[str]:
    """Yields every filter id that can be requested. Colliding ids come twice."""
    settings = entries.settings
    yield "all"
    yield from (status.id for status in settings.statuses)
    yield from (priority.id for priority in settings.priorities)
    yield from entries.filters


def counted(entries: Entries) -> dict[str, Condition]:
    """Returns filter id -> lowered condition. Of colliding ids `all` wins, then a status, a priority, a filter."""
    return at_once(counting(entries))


def counting(entries: Entries) -> Steps[dict[str, Condition]]:
    """Runs `counted` step by step."""
    settings, lowering = entries.settings, Lowering(entries.settings)
    conditions: dict[str, Condition] = {"all": ALWAYS}
    for name, condition in by_status(settings).items():
        conditions.setdefault(name, condition)
    for priority in settings.priorities:
        conditions.setdefault(priority.id, Leaf("priority", "eq", priority.id))
    for saved in entries.filters.values():
        if saved.id not in conditions:
            conditions[saved.id] = lowering.of(saved.where)
            yield
    return conditions


def _lowering_profiles(entries: Entries) -> Steps[dict[str, Condition]]:
    lowering, conditions = Lowering(entries.settings), {}
    for profile in entries.profiles.values():
        conditions[profile.id] = lowering.of(profile.where)
        yield
    return conditions


def by_status(settings: TenantSettings) -> dict[str, Condition]:
    """Returns status id -> condition "has this status", in the tenant's order."""
    return {status.id: Leaf("status", "eq", status.id) for status in settings.statuses}


def shadowed(entries: Entries) -> list[str]:
    """Returns the ids that a status, priority or filter shares with another one, so that only one can be requested."""
    return sorted(name for name, times in Counter(ids_of(entries)).items() if times > 1)


def summary_conditions(settings: TenantSettings) -> dict[str, Condition]:
    """Returns the condition of each key of the summary."""
    shut = closed(settings)
    return {
        "totalOpen": Not(shut),
        "totalClosed": shut,
        "slaBreached": breached(settings),
        "dueToday": AllOf((Not(shut), Leaf("dueAt", "within", "today"))),
        "overdue": AllOf((Not(shut), Leaf("dueAt", "before", FromNow(0)))),
    }


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
