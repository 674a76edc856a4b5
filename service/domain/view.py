"""One tenant as viewers see it: which ids they may ask for, and the signed sums behind each. Pure; memoizes."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import msgspec

from service.domain.catalogue import Filter, FilterType, Profile, Sharing
from service.domain.columns import SEMANTICS
from service.domain.condition import AllOf, Condition
from service.domain.local_days import LocalDay
from service.domain.lowering import lower
from service.domain.plan import Plan, plan
from service.domain.record import (
    SUMMARY,
    Ask,
    Entries,
    TenantRecord,
    by_status,
    columns_for,
    counted,
    in_force,
    summary_conditions,
)
from service.domain.scopes import Term, signed_sum
from service.domain.viewer import Perspective, Role, Viewer
from service.domain.windows import needs_day, on_day

MOST_DATED = 200
"""See the setting `dated_columns`."""

SUMMARY_KEYS = ("totalOpen", "totalClosed", "slaBreached", "dueToday", "overdue")


class FilterDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry of `filterDetails` and of the list of filters."""

    id: str
    name: str
    type: FilterType
    color: str | None = None


class InvalidIds(Exception):
    """These ids don't exist for this viewer, in the order of the request, the profile's last."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(", ".join(ids))
        self.ids = tuple(ids)


class TooManyDays(InvalidIds):
    """These exist, but look at the days of two fields, and the tenant has as many such columns as it may have."""


class Warming(Exception):
    """What was asked for exists but is still being filled: ask again soon.

    `asks` are what has columns only for who asks, and nobody has lately: it has to be wanted first.
    """

    def __init__(self, what: str, asks: Iterable[Ask] = (), *, loading: bool = False) -> None:
        super().__init__(what)
        self.asks = tuple(asks)
        self.loading = loading


class Wanted(NamedTuple):
    """What one viewer asks for."""

    viewer: Viewer
    perspective: Perspective
    filter_ids: tuple[str, ...]
    profile_id: str | None = None


class TenantView:
    """A compiled tenant record. Build one per token; it never changes.

    `most_dated` is how much of it may be counted by the days of two fields at once, each for one time zone.
    """

    def __init__(self, record: TenantRecord, most_dated: int = MOST_DATED) -> None:
        self._most_dated = most_dated
        self._dated = {one.ask for one in record.newest.dated}
        self.version = record.version
        self.settings = record.entries.settings
        self.loading = record.newest.settings.loading
        self._serving = record.entries
        self._newest = record.newest
        # A newer release no longer asks tickets about this one's columns: what is in them stands still or crumbles.
        self._numbers = in_force(record) if record.semantics <= SEMANTICS else {}
        self._details = details(record.entries)
        self._newest_details = self._details if record.pending is None else details(record.pending)
        self._conditions: dict[str, Condition] = counted(record.entries)
        self._summary = summary_conditions(self.settings)
        self._terms: dict[tuple[str, str, Role, Perspective, str | None, tuple[str, str] | None], tuple[Term, ...]] = {}
        self._wholes: dict[tuple[str, str, str | None], tuple[Condition, bool]] = {}
        self._plans: dict[tuple[Wanted, str, str], Plan] = {}

    def check(self, wanted: Wanted) -> None:
        """Raises InvalidIds with every id that doesn't exist for this viewer, the profile's last."""
        bad = [name for name in wanted.filter_ids if not self._may_ask(name, wanted)]
        if wanted.profile_id is not None and self._profile(wanted) is None:
            bad.append(wanted.profile_id)
        if bad:
            raise InvalidIds(bad)

    def plan(self, wanted: Wanted, day: LocalDay) -> Plan:
        """What to read and how to add it up on that day: the filters in request order, then the summary's keys.

        Raises InvalidIds, and Warming for what is still being filled.
        """
        key = (wanted, day.zone, day.date)
        found = self._plans.get(key)
        if found is None:
            self.check(wanted)
            if self.loading:
                raise Warming(self.settings.id, loading=True)
            if len(self._plans) >= _PLAN_LIMIT:
                self._plans.clear()
            found = self._plans[key] = self._planned(wanted, day)
        return found

    @property
    def has_dated(self) -> bool:
        """Whether anything of it is counted for the days of two fields."""
        return bool(self._dated)

    def asks(self, wanted: Wanted, zone: str) -> list[Ask]:
        """Which of what is asked for there has columns only for that. For ids that `check` took."""
        targets = [(name, "", self._conditions.get(name)) for name in wanted.filter_ids]
        targets += [(SUMMARY, key, condition) for key, condition in self._summary.items()]
        base = self._base_or_none(wanted.profile_id)
        found: dict[Ask, None] = {}
        for target, key, condition in targets:
            if condition is None:
                continue
            _, is_dated = self._whole(target, key, condition, wanted.profile_id, base)
            if is_dated or wanted.profile_id is not None:
                found[wanted.profile_id or "", target, zone if is_dated else ""] = None
        return list(found)

    def details(self, filter_ids: Iterable[str]) -> dict[str, FilterDetail]:
        """Names and colours in request order, for ids that `plan` took."""
        return {name: self._details[name] for name in filter_ids}

    @cached_property
    def status_columns(self) -> dict[str, int]:
        """Status id -> the number of its column, in the tenant's order. Raises Warming while one isn't filled."""
        names = {status: next(iter(columns_for(plain))) for status, plain in by_status(self.settings).items()}
        missing = [status for status, name in names.items() if name not in self._numbers]
        if missing:
            raise Warming(", ".join(missing))
        return {status: self._numbers[name] for status, name in names.items()}

    def listing(self, viewer: Viewer, perspective: Perspective) -> tuple[list[FilterDetail], list[Profile]]:
        """What this viewer may ask for: `all`, statuses, priorities, then filters and profiles by name."""
        asked = Wanted(viewer, perspective, ())
        builtin = [detail for name, detail in self._newest_details.items() if not self._is_saved(name)]
        saved = [
            detail
            for name, detail in self._newest_details.items()
            if self._is_saved(name) and self._may_ask(name, asked)
        ]
        profiles = [profile for profile in self._newest.profiles.values() if _shown(profile, viewer)]
        return (
            builtin + sorted(saved, key=lambda detail: (detail.name, detail.id)),
            sorted(profiles, key=lambda profile: (profile.name, profile.id)),
        )

    def _is_saved(self, name: str) -> bool:
        return name not in _builtin_ids(self._newest)

    def _may_ask(self, name: str, wanted: Wanted) -> bool:
        if name not in self._newest_details:
            return False
        if not self._is_saved(name):
            return True
        saved = self._newest.filters[name]
        allowed = saved.perspectives is None or wanted.perspective in saved.perspectives
        return allowed and _shown(saved, wanted.viewer)

    def _profile(self, wanted: Wanted) -> Profile | None:
        profile = self._newest.profiles.get(wanted.profile_id or "")
        return profile if profile is not None and _shown(profile, wanted.viewer) else None

    def _planned(self, wanted: Wanted, day: LocalDay) -> Plan:
        base = self._base(wanted.profile_id)
        sums: list[tuple[Term, ...]] = []
        missing: dict[str, None] = {}
        asks: dict[Ask, None] = {}
        targets = [(name, "", self._conditions.get(name)) for name in wanted.filter_ids]
        targets += [(SUMMARY, key, self._summary[key]) for key in SUMMARY_KEYS]
        for target, key, condition in targets:
            terms = None
            if condition is not None:
                whole, is_dated = self._whole(target, key, condition, wanted.profile_id, base)
                terms = self._sum(target, key, whole, wanted, day if is_dated else None)
                if terms is None and (is_dated or wanted.profile_id is not None):
                    asks[wanted.profile_id or "", target, day.zone if is_dated else ""] = None
            if terms is None:
                missing[target] = None
            sums.append(terms or ())
        if missing:
            self._check_days(asks)
            raise Warming(", ".join(missing), asks)
        return plan(sums, self._numbers, wanted.viewer)

    def _check_days(self, asks: Iterable[Ask]) -> None:
        """Raises TooManyDays for those that will get no columns."""
        refused = [ask for ask in asks if ask[2] and ask not in self._dated]
        if refused and len(self._dated) >= self._most_dated:
            raise TooManyDays([target or profile_id for profile_id, target, _ in refused])

    def _base(self, profile_id: str | None) -> Condition | None:
        base = self._base_or_none(profile_id)
        if base is None and profile_id is not None:  # newer than what is in force
            raise Warming(profile_id)
        return base

    def _base_or_none(self, profile_id: str | None) -> Condition | None:
        profile = self._serving.profiles.get(profile_id or "")
        return None if profile is None else lower(profile.where, self.settings)

    def _whole(
        self, target: str, key: str, condition: Condition, profile_id: str | None, base: Condition | None
    ) -> tuple[Condition, bool]:
        """Profile and filter as one condition, and whether it needs columns for a day."""
        name = (target, key, profile_id)
        found = self._wholes.get(name)
        if found is None:
            if len(self._wholes) >= _TERMS_LIMIT:
                self._wholes.clear()
            whole = condition if base is None else AllOf((base, condition))
            found = self._wholes[name] = (whole, needs_day(whole))
        return found

    def _sum(
        self, target: str, key: str, whole: Condition, wanted: Wanted, day: LocalDay | None
    ) -> tuple[Term, ...] | None:
        """The signed sum of a filter, or of a key of the summary; None while a column of it is not filled."""
        on = None if day is None else (day.zone, day.date)
        asked = (target, key, wanted.viewer.role, wanted.perspective, wanted.profile_id, on)
        terms = self._terms.get(asked)
        if terms is None:
            if len(self._terms) >= _TERMS_LIMIT:
                self._terms.clear()
            condition = whole if day is None else on_day(whole, day)
            terms = self._terms[asked] = signed_sum(condition, wanted.viewer.role, wanted.perspective)
        return terms if all(term.column in self._numbers for term in terms) else None


_TERMS_LIMIT = 20_000
"""Signed sums kept per tenant: 500 filters for every role and perspective, with some profiles; 1 KB each."""

_PLAN_LIMIT = 1_000
"""Plans kept per tenant: its busy viewers at one process; some 20 KB each, and a millisecond to make again."""


def details(entries: Entries) -> dict[str, FilterDetail]:
    """Every id that may be asked for. Where ids collide `all`, then a status, a priority, a filter wins."""
    found = {"all": FilterDetail("all", "All Tickets", "system")}
    for status in entries.settings.statuses:
        found.setdefault(status.id, FilterDetail(status.id, status.name, "status", status.color))
    for priority in entries.settings.priorities:
        found.setdefault(priority.id, FilterDetail(priority.id, priority.name, "priority", priority.color))
    for saved in entries.filters.values():
        found.setdefault(saved.id, FilterDetail(saved.id, saved.name, saved.type, saved.color))
    return found


def _builtin_ids(entries: Entries) -> frozenset[str]:
    settings = entries.settings
    return frozenset(("all", *(s.id for s in settings.statuses), *(p.id for p in settings.priorities)))


def _shown(entry: Filter | Profile, viewer: Viewer) -> bool:
    if entry.owner is None or viewer.role is Role.ADMIN or entry.owner == viewer.user:
        return True
    shared: Sharing = entry.shared_with
    return bool(shared.roles & viewer.roles or shared.teams & viewer.teams)
