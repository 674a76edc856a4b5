"""What is in force for one tenant, what is still being filled, and the number of each column. Pure values and steps.

A changed catalogue never changes a count half-way: entries that need new columns wait as `pending` until every
ticket has been gone over (a sweep), then they come into force in one step. Retired column numbers are reused only
after a whole sweep has taken them out of every ticket.
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
"""A profile's id, and a filter's id or `SUMMARY`: what is counted together because somebody asked for it."""

ColumnDemand = tuple[str, str, str]
"""What was asked for and has columns only for that: a profile's id ("" for none), a filter's id or `SUMMARY`, and where
the days of two fields decide a time zone ("" where they don't)."""

SUMMARY = ""
"""Stands in a pair for the summary's conditions; no filter has this id."""


class Dated(msgspec.Struct, frozen=True):
    """What looks at the days of two fields, counted for one day: a profile ("" for none), a filter or `SUMMARY`."""

    profile_id: str
    target: str
    day: LocalDay

    @property
    def ask(self) -> ColumnDemand:
        """What it answers, whatever the date."""
        return self.profile_id, self.target, self.day.zone


class Entries(msgspec.Struct, frozen=True):
    """The newest good catalogue entries of one tenant, and what is counted because it is asked for."""

    settings: TenantSettings
    filters: dict[str, Filter] = {}
    profiles: dict[str, Profile] = {}
    pairs: frozenset[Pair] = frozenset()
    dated: frozenset[Dated] = frozenset()


class TenantRecord(msgspec.Struct, frozen=True):
    """One tenant's catalogue as stored: `version` and `entries` are what is in force.

    Versions are offsets in the catalogue topic. `filling` are columns that not every ticket has been asked about yet,
    `retired` are numbers that tickets may still hold; each with the change of the record that made it so: a sweep that
    began before that change has not settled it, whatever it settled under the same name.
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
    """How often columns were numbered or dropped so far."""

    @property
    def newest_version(self) -> int:
        """The newest catalogue offset this record knows, in force or not yet."""
        return self.version if self.pending_version is None else self.pending_version

    @property
    def newest(self) -> Entries:
        """The newest entries known, in force or not yet: they decide which ids exist and who may see them."""
        return self.entries if self.pending is None else self.pending


class Backfill(msgspec.Struct, frozen=True):
    """What one pass over all tickets will have settled when it ends."""

    filling: dict[ColumnId, int]
    retired: dict[int, int]


def columns_of(entries: Entries) -> dict[ColumnId, Column]:
    """Every column needed to answer any viewer about these entries."""
    return at_once(finding_columns(entries))


def finding_columns(entries: Entries) -> Steps[dict[ColumnId, Column]]:
    """The same as `columns_of`, step by step."""
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
    """All that is asked for, lowered; what needs a day only for the days that are asked for."""
    summary = summary_conditions(entries.settings)
    asked = [("", name) for name in (*filters, SUMMARY)]
    for pair in (*asked, *entries.pairs):
        yield from _wholes(pair, bases, filters, summary)
    # A status whose id `all` has taken can't be asked for, but the form API counts it like the others.
    yield from (plain for name, plain in by_status(entries.settings).items() if filters[name] != plain)
    for dated in entries.dated:
        for whole in _wholes((dated.profile_id, dated.target), bases, filters, summary):
            if columns_if_undated(whole) is None:
                yield on_day(whole, dated.day)


def _wholes(
    asked: Pair, bases: Mapping[str, Condition], filters: Mapping[str, Condition], summary: Mapping[str, Condition]
) -> Iterator[Condition]:
    """Profile and filter as one condition each; what no profile narrows as it is."""
    profile_id, target = asked
    for condition in summary.values() if target == SUMMARY else (filters[target],):
        yield AllOf((bases[profile_id], condition)) if profile_id else condition


def with_asked(entries: Entries, pairs: Iterable[Pair], dated: Iterable[Dated]) -> Entries:
    """The entries with what is asked for, as far as there are such profiles and filters."""
    targets = {SUMMARY, *ids_of(entries)}
    return msgspec.structs.replace(
        entries,
        pairs=frozenset(pair for pair in pairs if pair[0] in entries.profiles and pair[1] in targets),
        dated=frozenset(
            one for one in dated if one.target in targets and (not one.profile_id or one.profile_id in entries.profiles)
        ),
    )


def ids_of(entries: Entries) -> Iterator[str]:
    """Every id that may be asked for, some twice."""
    settings = entries.settings
    yield "all"
    yield from (status.id for status in settings.statuses)
    yield from (priority.id for priority in settings.priorities)
    yield from entries.filters


def counted(entries: Entries) -> dict[str, Condition]:
    """Filter id -> lowered condition. Where ids collide `all`, then a status, a priority, a filter wins."""
    return at_once(counting(entries))


def counting(entries: Entries) -> Steps[dict[str, Condition]]:
    """The same as `counted`, step by step."""
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
    """Status id -> the condition that a ticket has this status, in the tenant's order."""
    return {status.id: Leaf("status", "eq", status.id) for status in settings.statuses}


def shadowed(entries: Entries) -> list[str]:
    """Ids of statuses, priorities and filters that can't be asked for: something else has the id."""
    return sorted(name for name, times in Counter(ids_of(entries)).items() if times > 1)


def summary_conditions(settings: TenantSettings) -> dict[str, Condition]:
    """The summary's keys, and what each counts."""
    shut = closed(settings)
    return {
        "totalOpen": Not(shut),
        "totalClosed": shut,
        "slaBreached": breached(settings),
        "dueToday": AllOf((Not(shut), Leaf("dueAt", "within", "today"))),
        "overdue": AllOf((Not(shut), Leaf("dueAt", "before", FromNow(0)))),
    }


def numbered(record: TenantRecord) -> dict[int, Column]:
    """Every column a ticket must be asked about now, in force or being filled, by its number."""
    return at_once(numbering(record))


def numbering(record: TenantRecord) -> Steps[dict[int, Column]]:
    """The same as `numbered`, step by step."""
    columns = yield from finding_columns(record.entries)
    if record.pending is not None:
        columns |= yield from finding_columns(record.pending)
    # Columns of older semantics stay what they were: their numbers are known here only until they are retired.
    return {record.numbers[name]: column for name, column in columns.items() if name in record.numbers}


def evaluated_by(record: TenantRecord) -> dict[ColumnId, int]:
    """The columns that a ticket judged by this record is asked about, with their numbers."""
    numbers = numbered(record)
    return {name: number for name, number in record.numbers.items() if number in numbers}


def in_force(record: TenantRecord) -> dict[ColumnId, int]:
    """The columns that answers may be made of now, with their numbers: those that every ticket was asked about."""
    return {name: number for name, number in record.numbers.items() if name not in record.filling}


def new_record(entries: Entries, version: int) -> TenantRecord:
    """The record of a tenant that has no tickets yet: everything is in force at once."""
    return at_once(new_record_in_steps(entries, version))


def new_record_in_steps(entries: Entries, version: int) -> Steps[TenantRecord]:
    """The same as `new_record`, step by step."""
    others = sorted(set((yield from finding_columns(entries))) - {EVERY_TICKET})
    numbers = {EVERY_TICKET: 0} | {name: number for number, name in enumerate(others, 1)}
    return TenantRecord(version, entries, numbers, semantics=SEMANTICS)


def adopted(record: TenantRecord, entries: Entries, version: int) -> TenantRecord:
    """The record after newer entries: in force at once when they need no new column, else pending."""
    return at_once(adopting(record, entries, version))


def adopting(record: TenantRecord, entries: Entries, version: int) -> Steps[TenantRecord]:
    """The same as `adopted`, step by step."""
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


def begun(record: TenantRecord) -> Backfill | None:
    """The sweep that this record calls for, and None when there is nothing to settle."""
    return Backfill(record.filling, record.retired) if record.filling or record.retired else None


def swept(record: TenantRecord, sweep: Backfill) -> TenantRecord:
    """The record after `sweep`, begun when the record was perhaps an older one, has gone over every ticket."""
    return at_once(settling(record, sweep))


def settling(record: TenantRecord, sweep: Backfill) -> Steps[TenantRecord]:
    """The same as `swept`, step by step."""
    filling = {name: since for name, since in record.filling.items() if sweep.filling.get(name) != since}
    retired = {number: since for number, since in record.retired.items() if sweep.retired.get(number) != since}
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
    """The numbers of columns that are no longer kept, retired since this change."""
    return {number: change for name, number in numbers.items() if name not in kept}
