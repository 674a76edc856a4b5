"""Departments: what billing panels call groups of teams. Which there are, and which teams are in them. Pure."""

from collections.abc import Collection

import msgspec

from service.domain.catalogue.catalogue import Team, TenantSettings


class Department(msgspec.Struct, frozen=True):
    """It has no entry of its own: its first team's name is its name."""

    id: int
    name: str
    teams: tuple[str, ...]


def departments(settings: TenantSettings) -> tuple[Department, ...]:
    """All of a tenant's departments, ascending by id."""
    found: dict[int, list[Team]] = {}
    for team in settings.teams:
        if team.department_id is not None:
            found.setdefault(team.department_id, []).append(team)
    return tuple(
        Department(number, teams[0].name, tuple(team.id for team in teams)) for number, teams in sorted(found.items())
    )


def assigned(settings: TenantSettings, teams: Collection[str]) -> tuple[Department, ...]:
    """The departments that any of these teams belongs to."""
    theirs = frozenset(teams)
    return tuple(each for each in departments(settings) if not theirs.isdisjoint(each.teams))


def teams_in(chosen: Collection[Department]) -> tuple[str, ...]:
    """Every team of these departments: a department may have several."""
    return tuple(team for department in chosen for team in department.teams)
