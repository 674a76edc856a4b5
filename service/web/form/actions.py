"""The actions of the form API: which tickets each counts, and its answer's body. Never reads the store."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from service.domain.catalogue.catalogue import TenantSettings
from service.domain.catalogue.departments import Department, assigned, departments, teams_in
from service.domain.counting.status_counts import Slice
from service.web.form.fields import Fields, flag

Body = dict[str, Any]

StatusCounts = Mapping[str, int]
"""Status id -> number of tickets."""


class PanelCaller(msgspec.Struct, frozen=True):
    """The tenant and admin that a call acts for. `teams` None means all departments; a set limits them to its teams."""

    tenant: str
    teams: frozenset[str] | None = None
    admin: str | None = None
    """The id of the admin, as tickets name their assignee."""


class Action(Protocol):
    """One call: `slices` names the tickets to count, then `body` makes the answer from their counts."""

    def slices(self, settings: TenantSettings) -> Sequence[Slice]:
        """Returns the slices of tickets to count."""

    def body(self, settings: TenantSettings, counts: Sequence[StatusCounts]) -> Body:
        """Returns the answer; `counts` has one entry per slice, made with the same settings."""


class TicketCounts:
    """`GetTicketCounts`."""

    def __init__(self, caller: PanelCaller, fields: Fields) -> None:
        self._caller = caller
        self._ignoring = flag(fields, "ignoredepartmentassignments")
        self._by_status = flag(fields, "includecountsbystatus")

    def slices(self, settings: TenantSettings) -> Sequence[Slice]:
        # Tickets of teams without a department count only for calls that ignore departments.
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
        return body | {"status": _counts_by_title(settings, counts[0])} if self._by_status else body


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
                "awaitingreply": str(awaiting(settings, of_department)),
                "opentickets": str(active(settings, of_department)),
            }
            for department, of_department in zip(self._chosen(settings), counts, strict=True)
        ]
        return {"result": "success", "totalresults": len(listed), "departments": {"department": listed}}

    def _chosen(self, settings: TenantSettings) -> Sequence[Department]:
        return _departments(settings, self._caller, ignoring=self._ignoring)


ACTIONS: Mapping[str, Callable[[PanelCaller, Fields], Action]] = {
    "getticketcounts": TicketCounts,
    "getsupportstatuses": SupportStatuses,
    "getsupportdepartments": SupportDepartments,
}
"""Action name in lower case -> the class of its calls."""


def active(settings: TenantSettings, counts: StatusCounts) -> int:
    """Returns the number of tickets in active statuses."""
    return sum(counts[status.id] for status in settings.statuses if status.active)


def awaiting(settings: TenantSettings, counts: StatusCounts) -> int:
    """Returns the number of tickets in statuses that await a reply."""
    return sum(counts[status.id] for status in settings.statuses if status.awaiting)


def status_key(title: str) -> str:
    """Returns the letters (of any script) and digits of the title in lower case: "Customer-Reply": `customerreply`."""
    return "".join(character for character in title.lower() if character.isalpha() or character.isdigit())


def number_in(text: str) -> int | None:
    """Returns the whole number in the text; None for any other text."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= _INT64_DIGITS else None


_INT64_DIGITS = 19
"""Department numbers have 64 bits. A longer number names no department, and would be slow to parse."""


def _departments(settings: TenantSettings, caller: PanelCaller, *, ignoring: bool) -> Sequence[Department]:
    return departments(settings) if ignoring or caller.teams is None else assigned(settings, caller.teams)


def _counts_by_title(settings: TenantSettings, counts: StatusCounts) -> dict[str, Body]:
    """Returns the statuses in the tenant's order. Statuses with the same key are one entry with the first one's title.

    Example: "On Hold" with 2 tickets and "On-Hold" with 3 become `onhold`: title "On Hold", count 5.
    """
    by_key: dict[str, Body] = {}
    for status in settings.statuses:
        entry = by_key.setdefault(status_key(status.name), {"title": status.name, "count": 0})
        entry["count"] += counts[status.id]
    return by_key
