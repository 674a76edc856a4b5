"""One tenant as viewers see it: the ids that they may request, and the plans of their answers. Pure; caches plans."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import count
from typing import NamedTuple

from service.domain.catalogue.catalogue import Profile
from service.domain.conditions.condition import AllOf, Condition
from service.domain.counting.columns import SEMANTICS
from service.domain.counting.local_days import LocalDay
from service.domain.counting.plan import Plan, plan
from service.domain.counting.scopes import Term
from service.domain.counting.viewer import Perspective, Viewer
from service.domain.counting.windows import on_day
from service.domain.steps import Steps, at_once
from service.domain.tenants.entry_columns import Lowering, columns_for, columns_if_undated, terms_of
from service.domain.tenants.record import TenantRecord, in_force
from service.domain.tenants.tenant_entries import (
    SUMMARY,
    ColumnDemand,
    Entries,
    by_status,
    counted,
    counting,
    summary_conditions,
)
from service.domain.tenants.visibility import FilterDetail, Visibility, is_visible
from service.lru import Lru

SUMMARY_KEYS = ("totalOpen", "totalClosed", "slaBreached", "dueToday", "overdue")


class InvalidIds(Exception):
    """Some ids don't exist for this viewer. `ids` are in request order, with the profile's last."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(", ".join(ids))
        self.ids = tuple(ids)


class Warming(Exception):
    """A requested filter exists, but its columns are not filled yet: try again soon.

    `demands` are the on-demand columns that the request needs and that do not exist yet: the caller must record them.
    `loading` is set when the tenant is being imported.
    """

    def __init__(self, what: str, demands: Iterable[ColumnDemand] = (), *, loading: bool = False) -> None:
        super().__init__(what)
        self.demands = tuple(demands)
        self.loading = loading


class CountRequest(NamedTuple):
    """One viewer's request for counts."""

    viewer: Viewer
    perspective: Perspective
    filter_ids: tuple[str, ...]
    profile_id: str | None = None


class TenantView:
    """A compiled tenant record. Build one per record version; it never changes."""

    def __init__(self, record: TenantRecord, conditions: Mapping[str, Condition] | None = None) -> None:
        """`conditions`: `counted(record.entries)`, if the caller has computed it."""
        self.version = record.version
        self.settings = record.entries.settings
        self.loading = record.newest.settings.loading
        self.pairs = record.newest.pairs
        """The pairs of profile and filter that have columns."""
        self.dated = record.newest.dated
        """The filters that have columns for one day."""
        self._serving = Visibility(record.entries)
        self._newest = self._serving if record.pending is None else Visibility(record.pending)
        # Consumers of a newer release no longer update the columns of this release, so their counts are stale.
        self._numbers = in_force(record) if record.semantics <= SEMANTICS else {}
        self._conditions = counted(record.entries) if conditions is None else conditions
        self._summary = summary_conditions(self.settings)
        self._lowering = Lowering(self.settings)
        self._number = next(_views)

    @classmethod
    def building(cls, record: TenantRecord) -> Steps["TenantView"]:
        """Builds a view step by step."""
        conditions = yield from counting(record.entries)
        for condition in by_status(record.entries.settings).values():
            columns_for(condition)
            yield
        return cls(record, conditions)

    @property
    def size(self) -> int:
        """The number of ids in the view, as its weight in a cache."""
        return len(self._serving.details) + (0 if self._newest is self._serving else len(self._newest.details))

    def check(self, count_request: CountRequest) -> None:
        """Raises InvalidIds with every id that doesn't exist for this viewer."""
        bad = [name for name in count_request.filter_ids if not self._newest.has_filter(name, count_request)]
        if count_request.profile_id is not None and not self._newest.has_profile(
            count_request.profile_id, count_request.viewer
        ):
            bad.append(count_request.profile_id)
        if bad:
            raise InvalidIds(bad)

    def plan(self, count_request: CountRequest, day: LocalDay) -> Plan:
        """Returns the plan for that day. Its sums: the filters in request order, then the summary's keys.

        Raises InvalidIds, and Warming when a needed column is still filling.
        """
        return at_once(self.planning(count_request, day))

    def planning(self, count_request: CountRequest, day: LocalDay) -> Steps[Plan]:
        """Runs `plan` step by step: a first plan of 500 filters takes 50 ms."""
        key = (self._number, count_request, day.zone, day.date)
        found = _plans.get(key)
        if found is None:
            self.check(count_request)
            if self.loading:
                raise Warming(self.settings.id, loading=True)
            self._check_seen_before(count_request)
            new_plan = yield from self._planned(count_request, day)
            found = _Planned(new_plan, len(count_request.filter_ids))
            _plans.put(key, found)
        return found.plan

    def demands(self, count_request: CountRequest, zone: str) -> list[ColumnDemand]:
        """Returns the column demands of a request. `check` must have accepted its ids."""
        targets = [(name, self._conditions.get(name)) for name in count_request.filter_ids]
        targets += [(SUMMARY, condition) for condition in self._summary.values()]
        base = self._base_or_none(count_request.profile_id)
        found: dict[ColumnDemand, None] = {}
        for target, condition in targets:
            if condition is None:
                continue
            is_dated = columns_if_undated(_whole(condition, base)) is None
            if is_dated or count_request.profile_id is not None:
                found[count_request.profile_id or "", target, zone if is_dated else ""] = None
        return list(found)

    def details(self, filter_ids: Iterable[str]) -> dict[str, FilterDetail]:
        """Returns names and colours in request order. `plan` must have accepted the ids."""
        return {name: self._serving.details[name] for name in filter_ids}

    @cached_property
    def status_columns(self) -> dict[str, int]:
        """Status id -> column number, in the tenant's order. Raises Warming while one of the columns is filling."""
        names = {status: next(iter(columns_for(plain))) for status, plain in by_status(self.settings).items()}
        missing = [status for status, name in names.items() if name not in self._numbers]
        if missing:
            raise Warming(", ".join(missing))
        return {status: self._numbers[name] for status, name in names.items()}

    def listing(self, viewer: Viewer, perspective: Perspective) -> tuple[list[FilterDetail], list[Profile]]:
        """Returns the filters (`all`, statuses, priorities, then by name) and profiles that this viewer may request.

        While the new columns of an edited entry are filling, viewers that could see it before get its previous name.
        """
        request, serving, newest = CountRequest(viewer, perspective, ()), self._serving, self._newest
        builtin: list[FilterDetail] = []
        saved: list[FilterDetail] = []
        for name, detail in newest.details.items():
            if newest.has_filter(name, request):
                current = serving.details[name] if serving.has_filter(name, request) else detail
                (builtin if name in newest.builtin else saved).append(current)
        profiles = [
            serving.profiles[name] if serving.has_profile(name, viewer) else profile
            for name, profile in newest.profiles.items()
            if newest.has_profile(name, viewer)
        ]
        return (
            builtin + sorted(saved, key=lambda detail: (detail.name, detail.id)),
            sorted(profiles, key=lambda profile: (profile.name, profile.id)),
        )

    def _check_seen_before(self, count_request: CountRequest) -> None:
        """Raises Warming for an entry that this viewer sees only since an edit that is still pending.

        The viewer must not get counts of the entry's previous condition, which was hidden from them.
        """
        serving = self._serving
        if serving is self._newest:
            return
        unseen = [
            name
            for name in count_request.filter_ids
            if name in serving.details and not serving.has_filter(name, count_request)
        ]
        if count_request.profile_id in serving.profiles and not serving.has_profile(
            count_request.profile_id, count_request.viewer
        ):
            unseen.append(count_request.profile_id)
        if unseen:
            raise Warming(", ".join(unseen))

    def _planned(self, count_request: CountRequest, day: LocalDay) -> Steps[Plan]:
        base = self._base(count_request.profile_id)
        sums: list[tuple[Term, ...]] = []
        missing: dict[str, None] = {}
        demands: dict[ColumnDemand, None] = {}
        targets = [(name, self._conditions.get(name)) for name in count_request.filter_ids]
        targets += [(SUMMARY, self._summary[key]) for key in SUMMARY_KEYS]
        for target, condition in targets:
            terms = None
            if condition is not None:
                whole = _whole(condition, base)
                is_dated = columns_if_undated(whole) is None
                terms = self._sum(on_day(whole, day) if is_dated else whole, count_request)
                if terms is None and (is_dated or count_request.profile_id is not None):
                    demands[count_request.profile_id or "", target, day.zone if is_dated else ""] = None
                yield
            if terms is None:
                missing[target] = None
            sums.append(terms or ())
        if missing:
            raise Warming(", ".join(missing), demands)
        return plan(sums, self._numbers, count_request.viewer)

    def _base(self, profile_id: str | None) -> Condition | None:
        base = self._base_or_none(profile_id)
        if base is None and profile_id is not None:  # the profile is still pending
            raise Warming(profile_id)
        return base

    def _base_or_none(self, profile_id: str | None) -> Condition | None:
        profile = self._serving.profiles.get(profile_id or "")
        return None if profile is None else self._lowering.of(profile.where)

    def _sum(self, condition: Condition, count_request: CountRequest) -> tuple[Term, ...] | None:
        """Returns the signed sum of a condition, or None while one of its columns is missing or filling."""
        terms = terms_of(condition, count_request.viewer.role, count_request.perspective)
        return terms if all(term.column in self._numbers for term in terms) else None


def profile_entries(record: TenantRecord, profile_id: str, viewer: Viewer) -> Entries:
    """Returns the entries whose profile of this id applies: those in force, or the pending ones for a new profile.

    Raises InvalidIds, and Warming for a profile that the viewer sees only since an edit that is still pending.
    """
    newest, serving = record.newest.profiles.get(profile_id), record.entries.profiles.get(profile_id)
    if newest is None or not is_visible(newest, viewer):
        raise InvalidIds((profile_id,))
    if serving is None:
        return record.newest
    if not is_visible(serving, viewer):
        raise Warming(profile_id)
    return record.entries


def _whole(condition: Condition, base: Condition | None) -> Condition:
    return condition if base is None else AllOf((base, condition))


class _Planned(NamedTuple):
    plan: Plan
    filters: int

    @property
    def weight(self) -> int:
        """Rough bytes of the plan and of its key."""
        return _PLAN_BYTES + _PLAN_FILTER_BYTES * self.filters + _PLAN_PART_BYTES * self.plan.size


_views = count()

PLANS_BYTES = 64 << 20
"""For the plan cache of a process, of all tenants together. A missing plan takes some milliseconds to compute."""

_PLAN_BYTES, _PLAN_FILTER_BYTES, _PLAN_PART_BYTES = 3_000, 100, 100
"""Bytes of a plan, of each requested filter, and of each scope, column and summand. Measured, roughly."""

_plans: Lru[tuple[int, CountRequest, str, str], _Planned] = Lru(PLANS_BYTES, lambda planned: planned.weight)
