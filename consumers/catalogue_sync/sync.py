"""Catalogue sync: writes the catalogue to the store by compare-and-set. Never replaces a newer version by an older."""

from typing import Protocol

import msgspec
import structlog

from consumers.backoff import before_redoing
from consumers.catalogue_sync.catalogue_log import CatalogueLog, Touched
from consumers.metrics import ConsumerMetrics
from service.domain.catalogue.catalogue import Realm
from service.domain.counting.columns import SEMANTICS
from service.domain.tenants.entry_limits import limiting
from service.domain.tenants.record import TenantRecord, adopting, backfill_for, new_record_in_steps
from service.domain.tenants.tenant_entries import Entries, shadowed, with_demands
from service.store.ports.backfill import OrphanStore
from service.store.ports.catalogue import CatalogueStore, Position, StoredTenant
from service.store.random_id import new_random_id
from service.turns import in_turns

log = structlog.get_logger()


class SyncedStore(CatalogueStore, OrphanStore, Protocol):
    """A store of the catalogue that also lists orphaned generations."""


class CatalogueSync:
    """Keeps the store's copy of the catalogue at least as new as the log that this consumer has read."""

    def __init__(self, store: SyncedStore, catalogue: CatalogueLog, metrics: ConsumerMetrics) -> None:
        self._store = store
        self._metrics = metrics
        self._catalogue = catalogue
        self.validated_offset: Position = 0
        """Catalogue records below this offset were read, and the invalid ones are acknowledged dead letters."""
        self.to_backfill: set[str] = set()
        """Tenants whose record needs a backfill, as far as this consumer has seen."""
        self.on_demand: set[str] = set()
        """Tenants with on-demand columns that this consumer has seen."""
        self.orphans: set[tuple[str, str]] = set()
        """(tenant, generation) of orphaned generations that this consumer has seen and that wait to be deleted."""
        self.refused: dict[str, frozenset[tuple[str, str]]] = {}
        """By tenant, (kind, id) of valid entries that this consumer left unchanged because they exceed the limits."""

    async def sync(self, touched: Touched) -> None:
        """Syncs the changes to the store, each tenant once."""
        for name in sorted(touched.realms):
            await self._realm(name, *self._catalogue.realms()[name])
        for identifier in sorted(touched.credentials):
            where, credential = self._catalogue.credentials()[identifier]
            await self._store.put_credential(identifier, where, credential)
        for tenant in sorted(touched.tenants):
            await self.synchronize(tenant)

    async def sync_all(self) -> None:
        """Syncs the whole catalogue: at start, and after the store may have lost writes.

        At the end it marks the store as complete: only then does the service treat a missing tenant as unknown.
        """
        for name, (offset, realm) in self._catalogue.realms().items():
            await self._realm(name, offset, realm)
        for identifier, (where, credential) in self._catalogue.credentials().items():
            await self._store.put_credential(identifier, where, credential)
        for tenant in sorted(self._catalogue.tenants()):
            await self.synchronize(tenant)
        self.orphans |= set(await self._store.orphans())
        await self._store.set_tenants_read()
        await self._store.set_validated_offset(self.validated_offset)

    async def _realm(self, name: str, offset: int, realm: Realm | None) -> None:
        """Writes a realm to the store. The consumer that writes it first also logs its warnings."""
        if await self._store.put_realm(name, offset, realm) and realm is not None:
            for warning in realm.warnings():
                log.warning("realm adopted with a warning", realm=name, problem=warning)

    async def synchronize(self, name: str) -> StoredTenant | None:
        """Creates, updates or removes the tenant's record in the store, so that it is as new as this consumer's log.

        Returns the record; None if the tenant doesn't exist.
        """
        redoing = before_redoing()
        while True:
            stored = await self._store.tenant(name)
            known = self._known(name, stored)
            if known is None:
                if stored is None or stored.record.newest_version >= self._catalogue.removed_at(name):
                    return self.remember(name, stored)
                if await self._store.drop_tenant(name, stored.record_version):
                    log.info("tenant removed", tenant=name)
                    self.orphans.add((name, stored.generation))
                    return self.remember(name, None)
                await redoing.pause()
                continue
            if stored is not None and _is_current(stored.record, known[1]):
                self._note_refused(name, *known, stored.record)
                return self.remember(name, stored)
            new = await self._newer(name, stored, *known)
            if await self._store.put_tenant(name, stored.record_version if stored else None, new):
                log.info("catalogue adopted", tenant=name, version=known[1], filling=len(new.record.filling))
                hidden = shadowed(known[0])
                if hidden:
                    self._metrics.shadowed.inc(len(hidden))
                    log.warning("entries have ids that others have already", tenant=name, ids=hidden)
                self._note_refused(name, *known, new.record)
                return self.remember(name, new)
            await redoing.pause()

    def _known(self, name: str, stored: StoredTenant | None) -> tuple[Entries, int] | None:
        """Returns the log's entries and version. If the newest tenant entry is invalid, uses the one in the store."""
        last = stored.record.newest.settings if stored is not None and self._keeps(name, "tenant", name) else None
        return self._catalogue.entries(name, last)

    def _keeps(self, tenant: str, kind: str, entry: str) -> bool:
        return (kind, entry) in self._catalogue.rejected(tenant)

    async def _newer(self, name: str, stored: StoredTenant | None, entries: Entries, version: int) -> StoredTenant:
        if stored is None:
            entries = await in_turns(limiting(entries, None))
            return StoredTenant(new_random_id(), new_random_id(), await in_turns(new_record_in_steps(entries, version)))
        if stored.record.newest_version > version:  # only the semantics are older: build the columns again
            entries, version = stored.record.newest, stored.record.newest_version
        kept = await in_turns(limiting(self._with_kept(name, stored.record, entries), stored.record.newest))
        record = await in_turns(adopting(stored.record, kept, version))
        return StoredTenant(new_random_id(), stored.generation, record)

    def _with_kept(self, name: str, record: TenantRecord, entries: Entries) -> Entries:
        """Returns the entries, plus those in the store that have to stay.

        They are on-demand columns, and entries whose newest record is invalid: compaction may have deleted their last
        valid record.
        """
        last = record.newest
        filters, profiles = dict(entries.filters), dict(entries.profiles)
        for kind, entry in self._catalogue.rejected(name):
            if kind == "filter" and entry in last.filters:
                filters.setdefault(entry, last.filters[entry])
            elif kind == "profile" and entry in last.profiles:
                profiles.setdefault(entry, last.profiles[entry])
        merged = msgspec.structs.replace(entries, filters=filters, profiles=profiles)
        return with_demands(merged, last.pairs, last.dated)

    def _note_refused(self, name: str, entries: Entries, version: int, record: TenantRecord) -> None:
        if record.newest_version != version:  # another consumer has synced a newer version
            return
        filters, profiles = record.newest.filters, record.newest.profiles
        refused = frozenset(
            {("filter", one.id) for one in entries.filters.values() if filters.get(one.id) != one}
            | {("profile", one.id) for one in entries.profiles.values() if profiles.get(one.id) != one}
        )
        if refused == self.refused.get(name, frozenset()):
            return
        if refused:
            log.warning("entries beyond what a tenant may have stay as they were", tenant=name, entries=len(refused))
            self.refused[name] = refused
        else:
            del self.refused[name]

    def remember(self, name: str, stored: StoredTenant | None) -> StoredTenant | None:
        """Remembers whether a stored record needs a backfill or has on-demand columns; returns the record."""
        if stored is not None and (stored.record.newest.pairs or stored.record.newest.dated):
            self.on_demand.add(name)
        if stored is not None and backfill_for(stored.record) is not None:
            self.to_backfill.add(name)
        return stored


def _is_current(record: TenantRecord, version: int) -> bool:
    """Whether the stored record is at least as new as the log, and its columns have at least this code's semantics."""
    return record.newest_version >= version and record.semantics >= SEMANTICS
