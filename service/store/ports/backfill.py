"""What the owner of a bucket's lease does: backfills, column demands, removal of old generations. Holds types only."""

from collections.abc import Collection, Sequence
from typing import Protocol

from service.domain.tenants.tenant_entries import ColumnDemand
from service.store.ports.catalogue import Bucket, CatalogueStore
from service.store.ports.reading import DemandNotes, TicketReader
from service.store.ports.steps import StorePlacement


class LeaseStore(Protocol):
    """Keeps one lease for each bucket. Raises StoreUnavailable."""

    async def lease(self, bucket: Bucket, holder: str, ttl_ms: int) -> bool:
        """Takes or renews the bucket's lease; False while another holder has it."""

    async def give_back(self, bucket: Bucket, holder: str) -> None:
        """Ends the bucket's lease if this holder has it."""


class OrphanStore(StorePlacement, Protocol):
    """Removes orphans: generations that serve no reads. Raises StoreUnavailable."""

    async def orphans(self) -> Sequence[tuple[str, str]]:
        """Returns each dropped (tenant, generation) whose tickets and counters are not all removed yet."""

    async def collect(self, tenant: str, generation: str, limit: int) -> bool:
        """Removes about `limit` tickets of an orphan and the counters they count in; True when no ticket is left."""

    async def collect_counters(self, orphans: Collection[tuple[str, str]], cursor: int, limit: int) -> int:
        """Removes the counters of these orphans among about `limit` keys from the cursor on, 0 at first.

        Returns the next cursor, 0 at the end; it is valid only in the same run of the store. A whole walk removes each
        counter that exists from start to end.
        """

    async def forget_orphans(self, orphans: Collection[tuple[str, str]]) -> None:
        """Removes these from the list of orphans: nothing of them is left."""


class BackfillStore(CatalogueStore, TicketReader, OrphanStore, Protocol):
    """Goes over all tickets of a tenant. Raises StoreUnavailable."""

    async def scan(self, tenant: str, generation: str, cursor: int, limit: int) -> tuple[int, Sequence[str]]:
        """Returns the next cursor, 0 at the end, and about `limit` ticket ids of a tenant."""

    async def backfill_progress(self, tenant: str) -> str:
        """Returns the mark that the tenant's backfill last noted; "" for none."""

    async def set_backfill_progress(self, tenant: str, mark: str) -> None:
        """Notes how far the tenant's backfill is; "" when it is complete."""


class DemandStore(CatalogueStore, DemandNotes, Protocol):
    """Turns column demands into columns of the tenant's record. Raises StoreUnavailable."""

    async def tenants_with_demands(self) -> Sequence[str]:
        """Returns the tenants with column demands that are not met yet."""

    async def settle_demands(self, tenant: str) -> None:
        """Notes that the tenant's demands were looked at."""

    async def forget_demands(self, tenant: str, demands: Sequence[ColumnDemand]) -> None:
        """Removes demands that viewers no longer request."""
