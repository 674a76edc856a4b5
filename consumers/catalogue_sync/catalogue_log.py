"""The catalogue in memory: the newest valid entry per key, and each tenant's version. Does no I/O."""

import msgspec

from service.domain.catalogue.catalogue import Credential, Filter, Profile, Realm, TenantSettings
from service.domain.catalogue.entries import Entry, Removal, parse_record
from service.domain.tenants.tenant_entries import Entries


class Touched(msgspec.Struct, frozen=True):
    """The tenants, realms and credentials that records changed and that have to be synced to the store."""

    tenants: frozenset[str] = frozenset()
    realms: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset()
    is_removal: bool = False
    """Whether a tenant was removed. Its tickets are deleted, even when the next record creates it again."""

    def __or__(self, other: "Touched") -> "Touched":
        return Touched(
            self.tenants | other.tenants,
            self.realms | other.realms,
            self.credentials | other.credentials,
            self.is_removal or other.is_removal,
        )


class _TenantEntries(msgspec.Struct):
    version: int = -1
    settings: TenantSettings | None = None
    filters: dict[str, Filter] = {}
    profiles: dict[str, Profile] = {}
    rejected: set[tuple[str, str]] = set()


class CatalogueLog:
    """Takes the topic's records in offset order. A tenant's version is the offset of the last record that changed it.

    Compaction may leave a tenant's entries in any order, so a filter may come before its tenant, a tenant before its
    realm.
    """

    def __init__(self) -> None:
        self._tenants: dict[str, _TenantEntries] = {}
        self._realms: dict[str, tuple[int, Realm | None]] = {}
        self._credentials: dict[str, tuple[int, Credential | None]] = {}

    def take(self, offset: int, key: bytes | None, value: bytes | None) -> Touched:
        """Takes one record. Raises EntryError for an invalid one; then the last valid entry of its key stays."""
        try:
            return self._put(offset, parse_record(key, value))
        except ValueError:
            self.reject(key)
            raise

    def entries(self, tenant: str, last: TenantSettings | None = None) -> tuple[Entries, int] | None:
        """Returns a tenant's entries and version; None if the tenant doesn't exist.

        `last` replaces the tenant's own entry when this log has no valid one.
        """
        found = self._tenants.get(tenant)
        settings = last if found is None else found.settings or last
        if found is None or settings is None:
            return None
        realm = self._realms.get(settings.realm, (-1, None))[0]
        return Entries(settings, dict(found.filters), dict(found.profiles)), max(found.version, realm)

    def removed_at(self, tenant: str) -> int:
        """Returns the offset of the newest record of the tenant or its entries; -1 for a tenant without records."""
        found = self._tenants.get(tenant)
        return -1 if found is None else found.version

    def rejected(self, tenant: str) -> frozenset[tuple[str, str]]:
        """Returns (kind, id) of the entries whose newest record is invalid: their entries in the store stay."""
        found = self._tenants.get(tenant)
        return frozenset() if found is None else frozenset(found.rejected)

    def tenants(self) -> frozenset[str]:
        """Returns all tenants with a record, including removed ones."""
        return frozenset(self._tenants)

    def realms(self) -> dict[str, tuple[int, Realm | None]]:
        """Returns offset and value by realm name; the value of a removed realm is None."""
        return dict(self._realms)

    def credentials(self) -> dict[str, tuple[int, Credential | None]]:
        """Returns offset and value by identifier; the value of a removed credential is None."""
        return dict(self._credentials)

    def _put(self, offset: int, record: Entry | Removal) -> Touched:
        value = record.value if isinstance(record, Entry) else None
        if record.kind == "realm":
            self._realms[record.id] = (offset, value if isinstance(value, Realm) else None)
            return Touched(self._of_realm(record.id), realms=frozenset((record.id,)))
        if record.kind == "credential":
            self._credentials[record.id] = (offset, value if isinstance(value, Credential) else None)
            return Touched(credentials=frozenset((record.id,)))
        name = record.id if record.kind == "tenant" else record.tenant or ""
        tenant = self._tenants.setdefault(name, _TenantEntries())
        tenant.version = offset
        tenant.rejected.discard((record.kind, record.id))
        if record.kind == "tenant":
            tenant.settings = value if isinstance(value, TenantSettings) else None
        elif isinstance(value, Filter):
            tenant.filters[record.id] = value
        elif isinstance(value, Profile):
            tenant.profiles[record.id] = value
        else:
            (tenant.filters if record.kind == "filter" else tenant.profiles).pop(record.id, None)
        return Touched(frozenset((name,)), is_removal=record.kind == "tenant" and value is None)

    def _of_realm(self, realm: str) -> frozenset[str]:
        return frozenset(
            name for name, tenant in self._tenants.items() if tenant.settings and tenant.settings.realm == realm
        )

    def reject(self, key: bytes | None) -> None:
        """Marks the key's newest record as invalid: its last valid entry stays, here or in the store."""
        kind, _, rest = (key or b"").decode(errors="replace").partition("/")
        tenant, _, name = rest.partition("/")
        if kind in ("filter", "profile") and name:
            self._tenants.setdefault(tenant, _TenantEntries()).rejected.add((kind, name))
        elif kind == "tenant" and rest:
            self._tenants.setdefault(rest, _TenantEntries()).rejected.add((kind, rest))
