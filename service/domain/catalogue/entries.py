"""Parses records of the compacted catalogue topic into entries, or reports why one can't come into force. Pure."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any, TypeVar

import msgspec

from service.domain.catalogue import entry_shapes as shapes
from service.domain.catalogue.catalogue import (
    MOST_PRIORITIES,
    MOST_STATUSES,
    MOST_TEAMS,
    Admin,
    Credential,
    EntryError,
    Filter,
    Priority,
    Profile,
    Realm,
    Sharing,
    Status,
    Team,
    TenantSettings,
)
from service.domain.catalogue.entry_key import EntryKey, EntryKind, parse_key
from service.domain.catalogue.entry_text import Sha256, checked, misfit
from service.domain.catalogue.realm_entry import realm_of
from service.domain.conditions.condition import Condition, ConditionError
from service.domain.conditions.where import EXACT_WHERE, parse_where
from service.domain.json_reading import EXACT, Exact, UnpairedSurrogate, read_json

S = TypeVar("S")

EntryValue = Realm | TenantSettings | Filter | Profile | Credential


_SAVED: Exact = {
    **dict.fromkeys(("id", "tenant", "owner"), EXACT),
    "where": EXACT_WHERE,
    "sharedWith": {"roles": EXACT, "teams": EXACT},
}

EXACT_IN: Mapping[EntryKind, Exact] = {
    EntryKind.REALM: {"name": EXACT},
    EntryKind.TENANT: {
        **dict.fromkeys(("id", "realm"), EXACT),
        **{name: {"id": EXACT} for name in ("statuses", "priorities", "teams")},
    },
    EntryKind.FILTER: _SAVED,
    EntryKind.PROFILE: _SAVED,
    EntryKind.CREDENTIAL: {**dict.fromkeys(("identifier", "tenant", "teams"), EXACT), "admin": {"id": EXACT}},
}
"""The exact texts of each kind of entry: ids, and the values in conditions."""


class Entry(msgspec.Struct, frozen=True):
    """A valid record. `kind`, `tenant` and `id` come from its key; only keys of filters and profiles name a tenant."""

    kind: EntryKind
    tenant: str | None
    id: str
    value: EntryValue


class Removal(msgspec.Struct, frozen=True):
    """A tombstone: removes the entry that its key names."""

    kind: EntryKind
    tenant: str | None
    id: str


def parse_record(key: bytes | None, value: bytes | None) -> Entry | Removal:
    """Parses a record of the catalogue topic.

    Raises EntryError. Its message starts with the path of the problem: `key`, `value`, or a field of the value.
    """
    record_key = parse_key(key)
    if value is None:
        return Removal(*record_key)
    expected_key, entry = _read(record_key.kind, value)
    if expected_key != record_key:
        names = f"{record_key.encoded().decode()}, but its value {expected_key.encoded().decode()}"
        raise EntryError(f"key: names {names}")
    return Entry(*record_key, entry)


def _read(kind: EntryKind, value: bytes) -> tuple[EntryKey, EntryValue]:
    """Returns the entry, and the key that its content requires."""
    match kind:
        case EntryKind.REALM:
            realm = realm_of(_decoded(kind, value, shapes.RealmShape))
            return EntryKey(kind, None, realm.name), realm
        case EntryKind.TENANT:
            tenant = _tenant(_decoded(kind, value, shapes.TenantShape))
            return EntryKey(kind, None, tenant.id), tenant
        case EntryKind.CREDENTIAL:
            credential = _credential(_decoded(kind, value, shapes.CredentialShape))
            return EntryKey(kind, None, credential.identifier), credential
        case EntryKind.FILTER:
            saved = _decoded(kind, value, shapes.FilterShape)
            return EntryKey(kind, saved.tenant, saved.id), _filter(saved)
        case EntryKind.PROFILE:
            base = _decoded(kind, value, shapes.ProfileShape)
            return EntryKey(kind, base.tenant, base.id), _profile(base)


def _decoded(kind: EntryKind, value: bytes, shape: type[S]) -> S:
    try:
        value.decode()  # the decoder checks UTF-8 only in members that it reads
        return read_json(msgspec.json.Decoder(shape), value, EXACT_IN[kind])
    except UnpairedSurrogate as error:
        raise EntryError(str(error)) from None
    except UnicodeDecodeError:
        raise EntryError("value: not UTF-8") from None
    except msgspec.ValidationError as error:
        raise misfit(error) from None
    except msgspec.DecodeError as error:
        raise EntryError(f"value: not JSON: {error}") from None
    except RecursionError:
        raise EntryError("value: nested too deeply") from None


def _tenant(shape: shapes.TenantShape) -> TenantSettings:
    statuses, priorities, teams = shape.statuses or (), shape.priorities or (), shape.teams or ()
    _refuse_more("statuses", len(statuses), MOST_STATUSES)
    _refuse_more("priorities", len(priorities), MOST_PRIORITIES)
    _refuse_more("teams", len(teams), MOST_TEAMS)
    _refuse_duplicates("statuses", [status.id for status in statuses])
    _refuse_duplicates("priorities", [priority.id for priority in priorities])
    _refuse_duplicates("teams", [team.id for team in teams])
    return TenantSettings(
        shape.id,
        shape.name,
        shape.realm,
        statuses=tuple(
            Status(s.id, s.name, s.color, s.closed or False, s.active or False, s.awaiting or False) for s in statuses
        ),
        priorities=tuple(Priority(p.id, p.name, p.rank, p.color) for p in priorities),
        teams=tuple(Team(team.id, team.name, team.department_id) for team in teams),
        loading=shape.loading or False,
    )


def _refuse_more(path: str, size: int, most: int) -> None:
    if size > most:
        raise EntryError(f"{path}: {size} of them, and a tenant may have at most {most}")


def _refuse_duplicates(path: str, ids: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for index, each in enumerate(ids):
        if first.setdefault(each, index) != index:
            raise EntryError(f"{path}[{index}].id: the same as {path}[{first[each]}].id")


def _filter(shape: shapes.FilterShape) -> Filter:
    return Filter(
        shape.id,
        shape.name,
        shape.type,
        _where(shape.where),
        color=shape.color,
        perspectives=shape.perspectives,
        owner=shape.owner,
        shared_with=_sharing(shape.shared_with),
    )


def _profile(shape: shapes.ProfileShape) -> Profile:
    return Profile(
        shape.id, shape.name, _where(shape.where), owner=shape.owner, shared_with=_sharing(shape.shared_with)
    )


def _where(raw: object) -> Condition:
    if raw == []:
        raise EntryError("where: missing")
    try:
        return parse_where(raw)
    except ConditionError as error:
        raise EntryError(str(error)) from None


def _sharing(shape: shapes.SharingShape | list[Any] | None) -> Sharing:
    if not isinstance(shape, shapes.SharingShape):
        return Sharing()
    return Sharing(shape.roles or frozenset(), shape.teams or frozenset())


def _credential(shape: shapes.CredentialShape) -> Credential:
    if not isinstance(shape.admin, shapes.AdminShape):
        raise EntryError("admin: missing")
    for index, address in enumerate(shape.allowed_ips or ()):
        _check_network(address, f"allowedIps[{index}]")
    return Credential(
        shape.identifier,
        _hashes(shape.secret_sha256, "secretSha256"),
        shape.tenant,
        Admin(str(shape.admin.id), shape.admin.name, shape.admin.username),
        teams=shape.teams or (),
        password_sha256=_hashes(shape.password_sha256, "passwordSha256"),
        access_key_sha256=_hashes(shape.access_key_sha256, "accessKeySha256"),
        allowed_ips=shape.allowed_ips,
        allowed_actions=shape.allowed_actions,
    )


def _hashes(raw: str | list[str] | None, path: str) -> tuple[str, ...]:
    """Returns one hash, several or none as a tuple in lower case."""
    hashes = [checked(raw, Sha256, path)] if isinstance(raw, str) else raw or ()
    return tuple(each.lower() for each in hashes)


def _check_network(address: str, path: str) -> None:
    try:
        ip_network(address, strict=False)
    except ValueError:
        raise EntryError(f"{path}: expected an address or a network such as 10.0.0.0/8") from None
