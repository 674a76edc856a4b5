"""Records of the compacted catalogue topic as values, or the reason why one can't come into force. Pure."""

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
"""Ids, and what conditions compare with, by kind of entry."""


class Entry(msgspec.Struct, frozen=True):
    """A good record. `kind`, `tenant` and `id` are those of its key: only filters and profiles have a tenant there."""

    kind: EntryKind
    tenant: str | None
    id: str
    value: EntryValue


class Removal(msgspec.Struct, frozen=True):
    """A record without a value: the entry that its key names is gone."""

    kind: EntryKind
    tenant: str | None
    id: str


def parse_record(key: bytes | None, value: bytes | None) -> Entry | Removal:
    """What a record of the catalogue topic says.

    Raises EntryError, which starts with the path of what is wrong: `key`, `value`, or a field of the value.
    """
    named = parse_key(key)
    if value is None:
        return Removal(*named)
    said, entry = _read(named.kind, value)
    if said != named:
        raise EntryError(f"key: names {named.encoded().decode()}, but its value {said.encoded().decode()}")
    return Entry(*named, entry)


def _read(kind: EntryKind, value: bytes) -> tuple[EntryKey, EntryValue]:
    """The entry, and the key that it should have."""
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
        value.decode()  # members that nobody reads must be UTF-8 too, and the decoder looks only at those it reads
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


def _hashes(given: str | list[str] | None, path: str) -> tuple[str, ...]:
    """Lower case, however many there are."""
    hashes = [checked(given, Sha256, path)] if isinstance(given, str) else given or ()
    return tuple(each.lower() for each in hashes)


def _check_network(address: str, path: str) -> None:
    try:
        ip_network(address, strict=False)
    except ValueError:
        raise EntryError(f"{path}: expected an address or a network such as 10.0.0.0/8") from None
