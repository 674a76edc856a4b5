"""Prints a tenant's catalogue as text. Reads no store and counts no ticket."""

from collections.abc import Iterable, Iterator, Sequence

from consumers.catalogue.printing import printed
from service.domain.catalogue.catalogue import Filter, Profile, Realm, Sharing, TenantSettings
from service.domain.conditions.condition import AllOf, Condition
from service.domain.counting.windows import needs_day
from service.domain.tenants.entry_columns import columns_for
from service.domain.tenants.lowering import lower
from service.domain.tenants.record import TenantRecord
from service.domain.tenants.tenant_entries import SUMMARY, counted, summary_conditions
from service.domain.tickets.instant import format_instant
from service.store.ports.unknown_ids import UnknownId


def still_unknown(settings: TenantSettings, noted: Iterable[UnknownId]) -> Iterator[UnknownId]:
    """Returns the unknown ids that the newest settings still lack."""
    known = {
        "status": {status.id for status in settings.statuses},
        "priority": {priority.id for priority in settings.priorities},
        "team": {team.id for team in settings.teams},
    }
    return (one for one in noted if one.id not in known[one.field])


def line(tenant: str, one: UnknownId) -> str:
    """Formats an unknown id: `acme: status nwe: in ticket INC0000045, 2026-11-21T10:15:00.000Z`."""
    return f"{tenant}: {one.field} {one.id}: in ticket {one.ticket}, {format_instant(one.at)}"


def shown(record: TenantRecord, realm: Realm | None) -> Iterator[str]:
    """Yields the lines: tenant, realm, version, settings, and filters and profiles with their backfill state."""
    settings = record.newest.settings
    yield f"tenant {settings.id}: {settings.name}{', loading' if settings.loading else ''}"
    yield f"realm {settings.realm}: {_realm(realm)}"
    yield f"version {record.version} in force{_pending(record)}"
    yield from _lists(settings)
    yield from _saved("filters", record, record.newest.filters, record.entries.filters)
    yield from _saved("profiles", record, record.newest.profiles, record.entries.profiles)


def sharing(saved: Filter | Profile) -> str:
    """Describes the audience of a filter or profile."""
    if saved.owner is None:
        return "the tenant's"
    shared: Sharing = saved.shared_with
    words = [f"owner {saved.owner}"]
    if shared.roles:
        words.append(f"shared with roles {', '.join(sorted(shared.roles))}")
    if shared.teams:
        words.append(f"shared with teams {', '.join(sorted(shared.teams))}")
    return "; ".join(words)


def perspectives(saved: Filter) -> str:
    """Describes the perspectives in which the filter is available."""
    return "every perspective" if saved.perspectives is None else ", ".join(sorted(saved.perspectives)) or "nowhere"


def columns_needed(condition: Condition, settings: TenantSettings) -> set[str]:
    """Returns the names of the columns that the condition needs for any viewer on any day."""
    return _columns(lower(condition, settings))


def _columns(lowered: Condition) -> set[str]:
    return set() if needs_day(lowered) else set(columns_for(lowered))


def _realm(realm: Realm | None) -> str:
    if realm is None:
        return "none in force, so nobody can sign in"
    keys = f"{len(realm.jwks.get('keys', []))} keys" if realm.jwks is not None else f"keys at {realm.jwks_uri}"
    passed_over = f", {len(realm.passed_over)} passed over" if realm.passed_over else ""
    return f"issuer {realm.issuer}, {keys}{passed_over}"


def _pending(record: TenantRecord) -> str:
    filling = f"filling: {len(record.filling)} columns" if record.filling else ""
    collected = f"{len(record.retired)} retired ones to be collected" if record.retired else ""
    pending = f"version {record.pending_version} pending" if record.pending is not None else ""
    return "".join(f"; {part}" for part in (pending, filling, collected) if part)


def _lists(settings: TenantSettings) -> Iterator[str]:
    yield from _list(
        "statuses",
        [
            " ".join((f"{s.id} {s.name}", *(word for word in ("closed", "active", "awaiting") if getattr(s, word))))
            for s in settings.statuses
        ],
    )
    yield from _list("priorities", [f"{p.id} {p.name}, rank {p.rank:g}" for p in settings.priorities])
    yield from _list("teams", [f"{team.id} {team.name}" for team in settings.teams])


def _list(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"{title}: {len(lines)}"
    yield from (f"  {line}" for line in lines)


def _saved(
    title: str,
    record: TenantRecord,
    newest: dict[str, Filter] | dict[str, Profile],
    in_force: dict[str, Filter] | dict[str, Profile],
) -> Iterator[str]:
    leaving = sorted(in_force.keys() - newest.keys())
    yield f"{title}: {len(newest)}{', and removed: ' + ', '.join(leaving) if leaving else ''}"
    for name, saved in newest.items():
        needed = _needed(record, saved)
        same = in_force.get(name) == saved
        columns = f"{len(needed)} columns, {_stage(record, needed, same)}"
        if isinstance(saved, Filter):
            yield f"  {name}: {saved.name} ({saved.type})"
            yield f"    {sharing(saved)}; {perspectives(saved)}"
        else:
            yield f"  {name}: {saved.name}"
            yield f"    {sharing(saved)}"
        yield f"    {printed(saved.where)}"
        yield f"    {columns}"


def _needed(record: TenantRecord, saved: Filter | Profile) -> set[str]:
    """Returns the columns of a filter; of a profile, those of its requested pairs with filters."""
    entries = record.newest
    if isinstance(saved, Filter):
        return columns_needed(saved.where, entries.settings)
    targets = {target for profile, target in entries.pairs if profile == saved.id}
    conditions = [*summary_conditions(entries.settings).values()] if SUMMARY in targets else []
    conditions += [condition for target, condition in counted(entries).items() if target in targets]
    base = lower(saved.where, entries.settings)
    return set().union(*(_columns(AllOf((base, condition))) for condition in conditions))


def _stage(record: TenantRecord, needed: set[str], same: bool) -> str:
    filling = len(needed & record.filling.keys())
    if filling:
        return f"filling: {filling} columns"
    return "in force" if record.pending is None or same else "pending"
