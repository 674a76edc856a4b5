"""Keys of catalogue records: each names one entry. Never reads the value."""

from enum import StrEnum
from typing import NamedTuple

from service.domain.catalogue.catalogue import EntryError
from service.domain.catalogue.entry_text import Id, TenantId, checked


class EntryKind(StrEnum):
    """The kinds of catalogue entries."""

    REALM = "realm"
    TENANT = "tenant"
    FILTER = "filter"
    PROFILE = "profile"
    CREDENTIAL = "credential"


TENANT_OWNED = frozenset((EntryKind.FILTER, EntryKind.PROFILE))


class EntryKey(NamedTuple):
    """Names one entry. `tenant` is set only for `TENANT_OWNED` kinds. The `id` of a realm is its name, that of a
    credential its identifier."""

    kind: EntryKind
    tenant: str | None
    id: str

    def encoded(self) -> bytes:
        """Returns the record key: `<kind>/<id>`, or `<kind>/<tenant>/<id>`."""
        return "/".join(part for part in self if part is not None).encode()


def parse_key(key: bytes | None) -> EntryKey:
    """Parses a record key. An id may contain slashes. Raises EntryError."""
    if key is None:
        raise EntryError("key: missing")
    try:
        text = key.decode()
    except UnicodeDecodeError:
        raise EntryError("key: not UTF-8") from None
    kind, slash, rest = text.partition("/")
    if not slash or kind not in list(EntryKind):
        raise EntryError(f"key: expected one of {', '.join(EntryKind)}, a slash and an id")
    if EntryKind(kind) not in TENANT_OWNED:
        return EntryKey(EntryKind(kind), None, checked(rest, TenantId if kind == EntryKind.TENANT else Id, "key"))
    tenant, slash, name = rest.partition("/")
    if not slash:
        raise EntryError(f"key: expected {kind}/<tenant>/<id>")
    return EntryKey(EntryKind(kind), checked(tenant, TenantId, "key"), checked(name, Id, "key"))
