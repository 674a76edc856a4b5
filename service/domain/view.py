"""One tenant as viewers see it: which ids they may ask for, and the signed sums behind each. Pure; memoizes."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from service.domain.catalogue import Filter, FilterType, Profile, Sharing
from service.domain.condition import AllOf, Condition
from service.domain.lowering import lower
from service.domain.plan import Plan, plan
from service.domain.record import SUMMARY, Entries, Pair, TenantRecord, counted, summary_conditions
from service.domain.scopes import Term, signed_sum
from service.domain.viewer import Perspective, Role, Viewer

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


class Warming(Exception):
    """What was asked for exists but is still being filled: ask again soon.

    `pairs` are those of profile and filter that nobody has asked for lately: they have to be wanted first.
    """

    def __init__(self, what: str, pairs: Iterable[Pair] = (), *, loading: bool = False) -> None:
        super().__init__(what)
        self.pairs = tuple(pairs)
        self.loading = loading


class Wanted(NamedTuple):
    """What one viewer asks for."""

    viewer: Viewer
    perspective: Perspective
    filter_ids: tuple[str, ...]
    profile_id: str | None = None


class TenantView:
    """A compiled tenant record. Build one per token; it never changes."""

    def __init__(self, record: TenantRecord) -> None:
        self.version = record.version
        self.settings = record.entries.settings
        self.loading = record.newest.settings.loading
        self._serving = record.entries
        self._newest = record.newest
        self._numbers = {name: number for name, number in record.numbers.items() if name not in record.filling}
        self._details = details(record.entries)
        self._newest_details = self._details if record.pending is None else details(record.pending)
        self._conditions: dict[str, Condition] = counted(record.entries)
        self._summary = summary_conditions(self.settings)
        self._terms: dict[tuple[str, str, Role, Perspective, str | None], tuple[Term, ...]] = {}
        self._plans: dict[Wanted, Plan] = {}

    @property
    def profile_ids(self) -> Collection[str]:
        """Every profile, visible to whomever."""
        return self._newest.profiles.keys()

    def is_filter(self, name: str) -> bool:
        """Whether it may stand in a pair beside a profile."""
        return name == SUMMARY or name in self._newest_details

    def check(self, wanted: Wanted) -> None:
        """Raises InvalidIds with every id that doesn't exist for this viewer, the profile's last."""
        bad = [name for name in wanted.filter_ids if not self._may_ask(name, wanted)]
        if wanted.profile_id is not None and self._profile(wanted) is None:
            bad.append(wanted.profile_id)
        if bad:
            raise InvalidIds(bad)

    def plan(self, wanted: Wanted) -> Plan:
        """What to read and how to add it up: the filters in request order, then the summary's keys.

        Raises InvalidIds, and Warming for what is still being filled.
        """
        found = self._plans.get(wanted)
        if found is None:
            self.check(wanted)
            if self.loading:
                raise Warming(self.settings.id, loading=True)
            if len(self._plans) >= _PLAN_LIMIT:
                self._plans.clear()
            found = self._plans[wanted] = self._planned(wanted)
        return found

    def details(self, filter_ids: Iterable[str]) -> dict[str, FilterDetail]:
        """Names and colours in request order, for ids that `plan` took."""
        return {name: self._details[name] for name in filter_ids}

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

    def _planned(self, wanted: Wanted) -> Plan:
        base = self._base(wanted.profile_id)
        sums: list[tuple[Term, ...]] = []
        missing: dict[str, None] = {}
        for name in wanted.filter_ids:
            condition = self._conditions.get(name)
            terms = None if condition is None else self._sum(name, "", condition, wanted, base)
            if terms is None:
                missing[name] = None
            sums.append(terms or ())
        for key in SUMMARY_KEYS:
            terms = self._sum(SUMMARY, key, self._summary[key], wanted, base) if key in self._summary else ()
            if terms is None:
                missing[SUMMARY] = None
            sums.append(terms or ())
        if missing:
            profile_id = wanted.profile_id
            raise Warming(", ".join(missing), [] if profile_id is None else [(profile_id, name) for name in missing])
        return plan(sums, self._numbers, wanted.viewer)

    def _base(self, profile_id: str | None) -> Condition | None:
        if profile_id is None:
            return None
        profile = self._serving.profiles.get(profile_id)
        if profile is None:  # newer than what is in force
            raise Warming(profile_id)
        return lower(profile.where, self.settings)

    def _sum(
        self, target: str, key: str, condition: Condition, wanted: Wanted, base: Condition | None
    ) -> tuple[Term, ...] | None:
        """The signed sum of a filter, or of a key of the summary; None while a column of it is not filled."""
        asked = (target, key, wanted.viewer.role, wanted.perspective, wanted.profile_id)
        terms = self._terms.get(asked)
        if terms is None:
            if len(self._terms) >= _TERMS_LIMIT:
                self._terms.clear()
            whole = condition if base is None else AllOf((base, condition))
            terms = self._terms[asked] = signed_sum(whole, wanted.viewer.role, wanted.perspective)
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
