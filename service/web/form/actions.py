"""What each action of the form API counts, and the body of its answer. Never asks the store, nor who is asking."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from service.domain.catalogue.catalogue import Status, TenantSettings
from service.domain.catalogue.departments import Department, assigned, departments, teams_in
from service.domain.counting.status_counts import Slice
from service.web.form.fields import Fields, flag

Body = dict[str, Any]

StatusCounts = Mapping[str, int]
"""Status id -> tickets."""


class PanelCaller(msgspec.Struct, frozen=True):
    """Whom the answer is for. `teams` None: departments of their own they have none, so all count."""

    tenant: str
    teams: frozenset[str] | None = None
    admin: str | None = None
    """The id of the admin, as tickets name their assignee."""


class Action(Protocol):
    """One call: first what it needs counted, then what it says of the counts."""

    def slices(self, settings: TenantSettings) -> Sequence[Slice]:
        """The tickets to count."""

    def body(self, settings: TenantSettings, counts: Sequence[StatusCounts]) -> Body:
        """The answer, from the same settings and the counts of its slices."""


class TicketCounts:
    """`GetTicketCounts`."""

    def __init__(self, caller: PanelCaller, fields: Fields) -> None:
        self._caller = caller
        self._ignoring = flag(fields, "ignoredepartmentassignments")
        self._by_status = flag(fields, "includecountsbystatus")

    def slices(self, settings: TenantSettings) -> Sequence[Slice]:
        # Tickets of teams without a department are nobody's: only who ignores departments sees them.
        teams = None if self._ignoring else teams_in(_departments(settings, self._caller, ignoring=False))
        flagged = [] if self._caller.admin is None else [Slice(teams, self._caller.admin)]
        return [Slice(teams), *flagged]

    def body(self, settings: TenantSettings, counts: Sequence[StatusCounts]) -> Body:
        chosen = _departments(settings, self._caller, ignoring=self._ignoring)
        body = {
            "result": "success",
            "filteredDepartments": [department.id for department in chosen],
            "allActive": active(settings, counts[0]),
            "awaitingReply": awaiting(settings, counts[0]),
            "flaggedTickets": active(settings, counts[1]) if len(counts) > 1 else 0,
        }
        return body | {"status": _titled(settings, counts[0])} if self._by_status else body


class SupportStatuses:
    """`GetSupportStatuses`."""

    def __init__(self, caller: PanelCaller, fields: Fields) -> None:
        self._department = fields.get("deptid", "").strip()

    def slices(self, settings: TenantSettings) -> Sequence[Slice]:
        if not self._department:
            return [Slice()]
        return [Slice(teams_in([each for each in departments(settings) if each.id == number_in(self._department)]))]

    def body(self, settings: TenantSettings, counts: Sequence[StatusCounts]) -> Body:
        statuses = [
            {"title": status.name, "count": counts[0][status.id], "color": status.color or ""}
            for status in settings.statuses
        ]
        return {"result": "success", "totalresults": len(statuses), "statuses": {"status": statuses}}


class SupportDepartments:
    """`GetSupportDepartments`."""

    def __init__(self, caller: PanelCaller, fields: Fields) -> None:
        self._caller = caller
        self._ignoring = flag(fields, "ignore_dept_assignments")

    def slices(self, settings: TenantSettings) -> Sequence[Slice]:
        return [Slice(department.teams) for department in self._chosen(settings)]

    def body(self, settings: TenantSettings, counts: Sequence[StatusCounts]) -> Body:
        listed = [
            {
                "id": str(department.id),
                "name": department.name,
                "awaitingreply": str(awaiting(settings, found)),
                "opentickets": str(active(settings, found)),
            }
            for department, found in zip(self._chosen(settings), counts, strict=True)
        ]
        return {"result": "success", "totalresults": len(listed), "departments": {"department": listed}}

    def _chosen(self, settings: TenantSettings) -> Sequence[Department]:
        return _departments(settings, self._caller, ignoring=self._ignoring)


ACTIONS: Mapping[str, Callable[[PanelCaller, Fields], Action]] = {
    "getticketcounts": TicketCounts,
    "getsupportstatuses": SupportStatuses,
    "getsupportdepartments": SupportDepartments,
}
"""By their names in lower case."""


def active(settings: TenantSettings, counts: StatusCounts) -> int:
    """Tickets in statuses that are active ones."""
    return sum(counts[status.id] for status in settings.statuses if status.active)


def awaiting(settings: TenantSettings, counts: StatusCounts) -> int:
    """Tickets in statuses that await a reply."""
    return sum(counts[status.id] for status in settings.statuses if status.awaiting)


def status_key(title: str) -> str:
    """`customerreply` for "Customer-Reply": lower case, and nothing but letters of any script and digits."""
    return "".join(character for character in title.lower() if character.isalpha() or character.isdigit())


def number_in(text: str) -> int | None:
    """The whole number that a field names, if it does."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= _INT64_DIGITS else None


_INT64_DIGITS = 19
"""Departments have numbers of 64 bits; what is longer is nobody's, and slow to read."""


def _departments(settings: TenantSettings, caller: PanelCaller, *, ignoring: bool) -> Sequence[Department]:
    return departments(settings) if ignoring or caller.teams is None else assigned(settings, caller.teams)


def _titled(settings: TenantSettings, counts: StatusCounts) -> dict[str, Body]:
    """Every status in the tenant's order; those whose keys meet are one entry, with the first one's title."""
    found: dict[str, Body] = {}
    for status in settings.statuses:
        entry = found.setdefault(status_key(status.name), _untitled(status))
        entry["count"] += counts[status.id]
    return found


def _untitled(status: Status) -> Body:
    return {"title": status.name, "count": 0}
