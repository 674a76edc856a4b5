"""Departments: what billing panels call groups of teams. Which there are, and which teams are in them. Pure."""

from collections.abc import Collection

import msgspec

from service.domain.catalogue import TenantSettings


class Department(msgspec.Struct, frozen=True):
    """It has no entry of its own: its first team's name is its name."""

    id: int
    name: str
    teams: tuple[str, ...]


def departments(settings: TenantSettings) -> tuple[Department, ...]:
    """All of a tenant's departments, ascending by id."""
    found: dict[int, Department] = {}
    for team in settings.teams:
        if team.department_id is not None:
            before = found.get(team.department_id, Department(team.department_id, team.name, ()))
            found[before.id] = msgspec.structs.replace(before, teams=(*before.teams, team.id))
    return tuple(found[number] for number in sorted(found))


def assigned(settings: TenantSettings, teams: Collection[str]) -> tuple[Department, ...]:
    """The departments that any of these teams belongs to."""
    return tuple(each for each in departments(settings) if not set(teams).isdisjoint(each.teams))


def teams_in(chosen: Collection[Department]) -> tuple[str, ...]:
    """Every team of these departments: a department may have several."""
    return tuple(team for department in chosen for team in department.teams)
