"""Departments: groups of teams, as billing panels know them. Pure."""

from collections.abc import Collection

import msgspec

from service.domain.catalogue.catalogue import Team, TenantSettings


class Department(msgspec.Struct, frozen=True):
    """A department. It has no catalogue entry; its name is the name of its first team."""

    id: int
    name: str
    teams: tuple[str, ...]


def departments(settings: TenantSettings) -> tuple[Department, ...]:
    """Returns a tenant's departments, ascending by id."""
    found: dict[int, list[Team]] = {}
    for team in settings.teams:
        if team.department_id is not None:
            found.setdefault(team.department_id, []).append(team)
    return tuple(
        Department(number, teams[0].name, tuple(team.id for team in teams)) for number, teams in sorted(found.items())
    )


def assigned(settings: TenantSettings, teams: Collection[str]) -> tuple[Department, ...]:
    """Returns the departments that contain any of these teams."""
    wanted = frozenset(teams)
    return tuple(each for each in departments(settings) if not wanted.isdisjoint(each.teams))


def teams_in(chosen: Collection[Department]) -> tuple[str, ...]:
    """Returns every team of these departments."""
    return tuple(team for department in chosen for team in department.teams)
