"""The catalogue in the store: what the service reads of it, and how the consumers keep it. Holds types only."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from service.domain.catalogue.catalogue import Credential, Realm
from service.domain.tenants.record import TenantRecord

Bucket = int
"""The number of a fixed share of the tenants. One atomic step reads and writes a whole bucket."""

Position = int
"""Every record of the partition below this offset is applied."""


class StoredTenant(msgspec.Struct, frozen=True):
    """A tenant's record, the version of exactly this record, and the generation of its tickets and counters."""

    record_version: str
    generation: str
    record: TenantRecord


class EntryReader(Protocol):
    """Reads entries in force. Raises StoreUnavailable when the store doesn't answer in time."""

    async def realm(self, name: str) -> Realm | None:
        """Returns the realm in force under this name."""

    async def credential(self, identifier: str) -> Credential | None:
        """Returns the form API credential in force under this identifier."""

    async def credentials_of(self, username: str) -> Sequence[Credential]:
        """Returns every credential in force whose admin has this name, in no order."""

    async def tenant(self, tenant: str) -> StoredTenant | None:
        """Returns the tenant's record; None when no such tenant is in force."""

    async def catalogue_read(self) -> bool:
        """Tells whether this store has held the whole catalogue at least once, even an empty one.

        Until then, a realm or credential may exist although the store doesn't find it.
        """

    async def tenants_read(self, tenant: str) -> bool:
        """Tells the same for all tenants in this tenant's bucket: one server of a cluster may come back empty."""


class CatalogueStore(EntryReader, Protocol):
    """Keeps the catalogue. Writes are never retried by the client: after a call in doubt the caller reads again."""

    async def tenants(self, bucket: Bucket) -> Sequence[str]:
        """Returns the names of the bucket's tenants in force."""

    async def put_tenant(self, tenant: str, expected: str | None, new: StoredTenant) -> bool:
        """Replaces the record whose version is `expected` (None: no record); False when the version is another."""

    async def drop_tenant(self, tenant: str, expected: str) -> bool:
        """Removes the record whose version is `expected` and orphans its tickets; False when the version is another."""

    async def put_realm(self, name: str, offset: int, realm: Realm | None) -> bool:
        """Stores a realm (None: its removal). False when this realm, or a newer one, is stored already."""

    async def put_credential(self, identifier: str, offset: int, credential: Credential | None) -> None:
        """Stores a credential (None: its removal) unless a newer one is stored."""

    async def catalogue_topic(self) -> str:
        """Returns the id of the catalogue topic that all stored offsets belong to; "" before the first."""

    async def set_catalogue_topic(self, topic: str) -> None:
        """Sets the id of the topic that all offsets belong to from now on."""

    async def forget_catalogue_offsets(self) -> None:
        """Forgets the validated offset and those of realms and credentials, so that any entry counts as newer."""

    async def validated_offset(self) -> Position:
        """Returns the offset below which catalogue records were validated: bad ones are dead letters already."""

    async def set_validated_offset(self, position: Position) -> None:
        """Raises `validated_offset` to the offset up to which the catalogue was read to its end."""

    async def set_tenants_read(self) -> None:
        """Notes in every bucket that all of its tenants are stored, and the layout when a store came back empty."""
