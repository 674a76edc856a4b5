"""The catalogue entries of one tenant, and the conditions and columns that they need. Pure; knows no column number."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from service.domain.catalogue.catalogue import Filter, Profile, TenantSettings
from service.domain.conditions.condition import ALWAYS, AllOf, Condition, FromNow, Leaf, Not
from service.domain.counting.columns import EVERY_TICKET, Column, ColumnId
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
