"""Explains as text how a filter is counted: its columns, and the signed sum of each role and perspective. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

import msgspec

from consumers.catalogue.printing import printed
from consumers.catalogue.reading import NothingFound
from consumers.catalogue.showing import perspectives, sharing
from service.domain.conditions.condition import AllOf, Condition, Question
from service.domain.counting.columns import Column
from service.domain.counting.local_days import LocalDay
from service.domain.counting.scopes import Term, scopes_for, signed_sum
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.counting.windows import needs_day, on_day
from service.domain.tenants.entry_columns import columns_for
from service.domain.tenants.lowering import lower
from service.domain.tenants.record import TenantRecord
from service.domain.tenants.tenant_entries import Entries, counted
from service.domain.tenants.visibility import details

_SLICES = {Question.ASSIGNED: "assignee = @me", Question.REQUESTED: "requester = @me", Question.TEAM: "my teams"}


class Explained(msgspec.Struct, frozen=True):
    """One filter of a tenant's newest entries, alone or narrowed by a profile."""

    record: TenantRecord
    title: tuple[str, ...]
    written: Condition
    lowered: Condition
    perspectives: frozenset[str] | None
    """The perspectives in which it is available; None means all."""

    @property
    def columns(self) -> dict[str, Column]:
        """The filter's columns by name, ordered by their conditions."""
        return dict(sorted(columns_for(self.lowered).items(), key=lambda column: printed(column[1].condition)))

    def column(self, name: str) -> str:
        """Returns a short label of a column: its number, or the start of its name before it has a number."""
        number = self.record.numbers.get(name)
        return name[:8] if number is None else f"#{number}"


def explained(record: TenantRecord, filter_id: str, profile_id: str | None, day: LocalDay) -> Explained:
    """Returns the filter, in force or pending, for that local day. Raises NothingFound."""
    entries = record.newest
    conditions = counted(entries)
    if filter_id not in conditions:
        raise NothingFound(f"filter {filter_id!r}: no such id")
    detail = details(entries)[filter_id]
    title = [f"filter {detail.id}: {detail.name} ({detail.type})"]
    saved = None if filter_id in _builtin_ids(entries) else entries.filters[filter_id]
    if saved is not None:
        title.append(f"  {sharing(saved)}; {perspectives(saved)}")
    written, lowered = saved.where if saved else conditions[filter_id], conditions[filter_id]
    if profile_id is not None:
        base = _profile(entries, profile_id)
        title.append(f"narrowed by profile {profile_id}: {entries.profiles[profile_id].name}")
        written, lowered = AllOf((base, written)), AllOf((lower(base, entries.settings), lowered))
    if needs_day(lowered):
        title.append(f"depends on the local days of two fields, shown for {day.date} in {day.zone}")
        lowered = on_day(lowered, day)
    return Explained(record, tuple(title), written, lowered, saved.perspectives if saved else None)


def _builtin_ids(entries: Entries) -> frozenset[str]:
    """Returns the ids that take precedence over filters with the same id."""
    settings = entries.settings
    return frozenset(("all", *(status.id for status in settings.statuses), *(one.id for one in settings.priorities)))


def _profile(entries: Entries, profile_id: str) -> Condition:
    if profile_id not in entries.profiles:
        raise NothingFound(f"profile {profile_id!r}: no such id")
    return entries.profiles[profile_id].where


def text(filter_: Explained) -> Iterator[str]:
    """Yields the filter's title, its conditions and its columns."""
    record = filter_.record
    yield from filter_.title
    yield f"condition  {printed(filter_.written)}"
    yield f"lowered    {printed(filter_.lowered)}"
    columns = filter_.columns
    yield f"columns: {len(columns)}"
    for name, plain in columns.items():
        number = record.numbers.get(name)
        stage = "not created yet" if number is None else "filling" if name in record.filling else "in force"
        yield f"  {'-' if number is None else f'#{number}'}  {name}  {stage}: {shown_column(plain)}"


def shown_column(column: Column) -> str:
    """Returns the condition of a column, and the field of its time buckets."""
    return printed(column.condition) + (f", by {column.by}" if column.by is not None else "")


def kinds(
    filter_: Explained, role: Role | None, perspective: Perspective | None
) -> Iterator[tuple[Role, Perspective, tuple[Term, ...] | None]]:
    """Yields each role and perspective with its signed sum; None where the filter isn't available."""
    for one, view in product(Role if role is None else (role,), Perspective if perspective is None else (perspective,)):
        yield one, view, signed_sum(filter_.lowered, one, view) if is_available(filter_, one, view) else None


def is_available(filter_: Explained, role: Role, perspective: Perspective) -> bool:
    """Whether the role may request the filter in this perspective. Ignores its owner."""
    agents = perspective is not Perspective.AGENT or role is not Role.USER
    return agents and (filter_.perspectives is None or perspective in filter_.perspectives)


def sums(
    filter_: Explained,
    sums_by_kind: Iterable[tuple[Role, Perspective, tuple[Term, ...] | None]],
    viewer: Viewer | None,
    counts: Mapping[Term, int],
) -> Iterator[str]:
    """Yields the signed sums. With a viewer, also yields the scopes and the current count of each term.

    Example: `+ #3[assignee = @me] + #3[my teams] − #3[assignee = @me ∧ my teams]` counts a ticket once that is both
    assigned to the viewer and in one of their teams.
    """
    for role, perspective, terms in sums_by_kind:
        lead = f"{role} × {perspective}:"
        if terms is None:
            yield f"{lead} not available"
            continue
        known = viewer is not None and all(term in counts for term in terms)
        total = sum(term.sign * counts[term] for term in terms) if known else None
        yield f"{lead} {_sum(filter_, terms)}{'' if total is None else f' = {total}'}"
        for term in terms if viewer is not None else ():
            count = f" {counts[term]}" if term in counts else ""
            yield f"  {_signed(term)}{filter_.column(term.column)}{count}  over {_places(term, viewer)}{_days(term)}"


def _sum(filter_: Explained, terms: tuple[Term, ...]) -> str:
    if not terms:
        return "0"
    words = [f"{_signed(term)}{filter_.column(term.column)}[{_slice(term)}{_days(term)}]" for term in terms]
    return " ".join(words).removeprefix("+ ")


def _days(term: Term) -> str:
    """Returns the time windows that a term is limited to, as text."""
    if term.region is None:
        return ""
    return ", ".join(("", *term.region.inside, *(f"not {word}" for word in term.region.outside)))


def _signed(term: Term) -> str:
    sign = "+ " if term.sign > 0 else "− "
    return sign if abs(term.sign) == 1 else f"{sign}{abs(term.sign)} × "


def _slice(term: Term) -> str:
    return " ∧ ".join(words for question, words in _SLICES.items() if question in term.questions) or "all"


def _places(term: Term, viewer: Viewer | None) -> str:
    scopes = scopes_for(term.questions, viewer) if viewer is not None else []
    return ", ".join(f"{scope.counter} {scope.part}".strip() for scope in scopes) or "no scope"
