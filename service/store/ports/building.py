"""What a store promises of a tenant's next generation, which fills beside the serving one. Holds types only.

A *building* is such a generation. It has its own positions, timers and due set, so that reads and events neither wait
for it nor see it, until it replaces the serving generation in one step (the swap).
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from service.domain.counting.columns import ColumnId
from service.domain.tickets.ticket import Instant
from service.store.ports.backfill import BackfillStore
from service.store.ports.catalogue import Bucket
from service.store.ports.steps import Batch, BucketState, DueTicket, EventStore, Loaded, Outcome


class Building(msgspec.Struct, frozen=True):
    """A generation that will replace `base`, the generation that served when the building began.

    Its tickets are evaluated with the tenant's record of this `record_version`. `complete` has the columns, with their
    numbers, that were evaluated for each of its tickets.
    """

    tenant: str
    generation: str
    base: str
    record_version: str
    complete: Mapping[ColumnId, int]
    from_store: bool
    state: BucketState
    """Its own topic, positions and timers. It has every event of the tenant below these positions."""
    merged_from: Instant | None = None
    """Tickets due at this instant or later have been moved to the bucket's due set already; None: none."""


class Swapped(msgspec.Struct, frozen=True):
    """The building serves now. `before` and `after`: old and new counts of all tickets by column, at one state."""

    version: int
    before: Mapping[int, int]
    after: Mapping[int, int]


class Gone(msgspec.Struct, frozen=True):
    """Nothing is written: the building was swapped or given up before, or another generation serves than its base."""


class NotYet(msgspec.Struct, frozen=True):
    """Nothing is written: building and bucket are at different states. `why` is one of the constants below."""

    why: str


OTHER_RECORD = "record"
"""The tenant's record has changed: adopt the new one."""
OTHER_TOPIC = "topic"
"""The bucket's positions belong to another events topic: begin anew."""
BEHIND = "positions"
"""The bucket's positions are higher: read on."""
AHEAD = "ahead"
"""The building has events that the bucket lacks, so the store went back meanwhile: begin anew."""
DUE = "due"
"""Some tickets of the building are due by the bucket's timers: evaluate them again."""
LAPSED = "lapsed"
"""The bucket's timers may have dropped due times that were moved to its due set: begin anew."""

SwapOutcome = Swapped | Gone | NotYet


class Memory(msgspec.Struct, frozen=True):
    """Bytes in use, and their limit; 0 means no limit."""

    used: int
    most: int


class BuildingStore(EventStore, BackfillStore, Protocol):
    """A store that builds the next generation of a tenant, at most one for each. Raises StoreUnavailable."""

    async def building(self, tenant: str) -> Building | None:
        """Returns the tenant's building in its current state; None when there is none."""

    async def begin_building(self, tenant: str, expected: str | None, new: Building | None) -> bool:
        """Begins a building, or with None only gives up the existing one; the existing one becomes an orphan.

        False when the existing one isn't of the `expected` generation (None: none exists), or the new one's base and
        record version aren't the tenant's."""

    async def adopt_building(self, building: Building, record_version: str, complete: Mapping[ColumnId, int]) -> bool:
        """Switches the building to another record; False when it is no longer the one that `building` describes."""

    async def load_building(self, building: Building, tickets: Sequence[str]) -> Loaded:
        """Reads the building's state and tickets, like `load`. The record version is the building's, "" for none."""

    async def apply_building(self, batch: Batch) -> Outcome:
        """Writes like `apply`, but to one tenant's building: against its own state, and without a hint."""

    async def building_due(self, building: Building, now: Instant, limit: int) -> Sequence[DueTicket]:
        """Works like `due`, but on the building's due set and timers."""

    async def merge_due(self, building: Building, since: Instant, limit: int) -> int:
        """Moves about `limit` of the building's tickets due at `since` or later to the bucket's due set.

        Returns the number of moved tickets. The `since` of the first call holds for all later ones.
        """

    async def swap(self, building: Building, record_version: str, latest: Instant) -> SwapOutcome:
        """Makes the building the serving generation under a new `record_version` and orphans the old one, in one step.

        Only when the building has the bucket's positions and the tenant's record, and no ticket that is due by the
        bucket's timers. `latest` is an instant that no consumer's clock can have reached yet.
        """

    async def memory(self, bucket: Bucket) -> Memory:
        """Returns the memory use of the server that holds the bucket."""
