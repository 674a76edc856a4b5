"""Computes the correct answers of the form API, ticket by ticket. Never shares code with the product."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from tests.oracle.recount import Recount


def ticket_counts(
    oracle: Recount,
    tenant: str,
    teams: Collection[str] | None,
    admin: str | None,
    *,
    ignoring: bool = False,
    by_status: bool = False,
) -> dict[str, Any]:
    """Returns the body of `GetTicketCounts` for an admin in these teams; None for the local API without an admin."""
    entry = oracle.catalogue.tenants[tenant]
    seen = department_ids(entry) if ignoring or teams is None else department_ids(entry, teams)
    found = [
        ticket.data
        for ticket in oracle.tickets(tenant).values()
        if ticket.data is not None and (ignoring or department_of(entry, ticket.data.get("team")) in seen)
    ]
    active = [data for data in found if status_says(entry, data, "active")]
    body: dict[str, Any] = {
        "result": "success",
        "filteredDepartments": seen,
        "allActive": len(active),
        "awaitingReply": sum(status_says(entry, data, "awaiting") for data in found),
        "flaggedTickets": sum(admin is not None and data.get("assignee") == admin for data in active),
    }
    return body | {"status": statuses_by_title(entry, found)} if by_status else body


def support_statuses(oracle: Recount, tenant: str, department: int | None = None) -> dict[str, Any]:
    entry = oracle.catalogue.tenants[tenant]
    everything = [ticket.data for ticket in oracle.tickets(tenant).values() if ticket.data is not None]
    found = [
        data["status"]
        for data in everything
        if department is None or department_of(entry, data.get("team")) == department
    ]
    statuses = [
        {"title": one["name"], "count": found.count(one["id"]), "color": one.get("color") or ""}
        for one in entry["statuses"]
    ]
    return {"result": "success", "totalresults": len(statuses), "statuses": {"status": statuses}}


def support_departments(oracle: Recount, tenant: str, teams: Collection[str], *, ignoring: bool) -> dict[str, Any]:
    entry = oracle.catalogue.tenants[tenant]
    listed = []
    for department in department_ids(entry, None if ignoring else teams):
        found = [
            ticket.data
            for ticket in oracle.tickets(tenant).values()
            if ticket.data is not None and department_of(entry, ticket.data.get("team")) == department
        ]
        name = next(team["name"] for team in entry["teams"] if team.get("departmentId") == department)
        waiting = sum(status_says(entry, data, "awaiting") for data in found)
        active = sum(status_says(entry, data, "active") for data in found)
        listed.append({"id": str(department), "name": name, "awaitingreply": str(waiting), "opentickets": str(active)})
    return {"result": "success", "totalresults": len(listed), "departments": {"department": listed}}


def department_ids(entry: Mapping[str, Any], teams: Collection[str] | None = None) -> list[int]:
    return sorted(
        {
            team["departmentId"]
            for team in entry["teams"]
            if team.get("departmentId") is not None and (teams is None or team["id"] in teams)
        }
    )


def department_of(entry: Mapping[str, Any], team: object) -> int | None:
    return next((one.get("departmentId") for one in entry["teams"] if one["id"] == team), None)


def status_says(entry: Mapping[str, Any], data: Mapping[str, Any], flag: str) -> bool:
    return any(one["id"] == data["status"] and one.get(flag) is True for one in entry["statuses"])


def statuses_by_title(entry: Mapping[str, Any], found: Collection[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for one in entry["statuses"]:
        key = re.sub(r"[\W_]", "", one["name"].lower())
        count = sum(data["status"] == one["id"] for data in found)
        if key in merged:
            merged[key]["count"] += count
        else:
            merged[key] = {"title": one["name"], "count": count}
    return merged
