"""The catalogue as its topic tells it: the newest good entry per key, and the version of each tenant. Pure state."""

import msgspec

from service.domain.catalogue.catalogue import Credential, Filter, Profile, Realm, TenantSettings
from service.domain.catalogue.entries import Entry, Removal, parse_record
from service.domain.tenants.tenant_entries import Entries


class Touched(msgspec.Struct, frozen=True):
    """What records changed, to be carried into the store."""

    tenants: frozenset[str] = frozenset()
    realms: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset()
    is_removal: bool = False
    """Whether a tenant is gone: its tickets go, also where it comes back with the next record."""

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
    """Takes the records of the topic in their order. A tenant's version is the offset of the last one it is touched by.

    Entries may come in any order (compaction moves them): a filter waits for its tenant, a tenant for its realm.
    """

    def __init__(self) -> None:
        self._tenants: dict[str, _TenantEntries] = {}
        self._realms: dict[str, tuple[int, Realm | None]] = {}
        self._credentials: dict[str, tuple[int, Credential | None]] = {}

    def take(self, offset: int, key: bytes | None, value: bytes | None) -> Touched:
        """Takes one record. Raises EntryError, and then the last good entry stays."""
        try:
            return self._put(offset, parse_record(key, value))
        except ValueError:
            self.reject(key)
            raise

    def entries(self, tenant: str, last: TenantSettings | None = None) -> tuple[Entries, int] | None:
        """The entries of a tenant and their version; None for a tenant that there is not.

        `last` stands in for the tenant's own entry where this log has no good one.
        """
        found = self._tenants.get(tenant)
        settings = last if found is None else found.settings or last
        if found is None or settings is None:
            return None
        realm = self._realms.get(settings.realm, (-1, None))[0]
        return Entries(settings, dict(found.filters), dict(found.profiles)), max(found.version, realm)

    def removed_at(self, tenant: str) -> int:
        """The offset of the newest record about the tenant itself or its entries; -1 for one never heard of."""
        found = self._tenants.get(tenant)
        return -1 if found is None else found.version

    def rejected(self, tenant: str) -> frozenset[tuple[str, str]]:
        """(kind, id) of entries whose newest record is bad: what the store holds of them stays."""
        found = self._tenants.get(tenant)
        return frozenset() if found is None else frozenset(found.rejected)

    def tenants(self) -> frozenset[str]:
        """Every tenant that ever was, removed ones included."""
        return frozenset(self._tenants)

    def realms(self) -> dict[str, tuple[int, Realm | None]]:
        """Realm name -> offset and value, None for a removed one."""
        return dict(self._realms)

    def credentials(self) -> dict[str, tuple[int, Credential | None]]:
        """Identifier -> offset and value, None for a removed one."""
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
        """The newest record of that key can't be read: the last good one stays, here or in the store."""
        kind, _, rest = (key or b"").decode(errors="replace").partition("/")
        tenant, _, name = rest.partition("/")
        if kind in ("filter", "profile") and name:
            self._tenants.setdefault(tenant, _TenantEntries()).rejected.add((kind, name))
        elif kind == "tenant" and rest:
            self._tenants.setdefault(rest, _TenantEntries()).rejected.add((kind, rest))
