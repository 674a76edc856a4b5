"""Ids that tickets had lately and their tenant's catalogue still hasn't, as text. Reads no ticket."""

from collections.abc import Iterable, Iterator

from service.domain.catalogue import TenantSettings
from service.domain.instant import format_instant
from service.store.unknown_ids import UnknownId


def still_unknown(settings: TenantSettings, met: Iterable[UnknownId]) -> Iterator[UnknownId]:
    """Without what was published since."""
    known = {
        "status": {status.id for status in settings.statuses},
        "priority": {priority.id for priority in settings.priorities},
        "team": {team.id for team in settings.teams},
    }
    return (one for one in met if one.id not in known[one.field])


def line(tenant: str, one: UnknownId) -> str:
    """`acme: status nwe: in ticket INC0000045, 2026-11-21T10:15:00.000Z`."""
    return f"{tenant}: {one.field} {one.id}: in ticket {one.ticket}, {format_instant(one.at)}"
