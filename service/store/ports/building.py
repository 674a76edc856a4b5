"""What a store promises of a tenant's next generation, which is filled beside the serving one. Types only.

A *building* is such a generation with its own positions, timers and due set, so that nothing that serves waits for it
or sees it, until it takes the serving one's place in one step.
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
    """A generation on its way to take the place of `base`, the one that served when it was begun.

    Its tickets are judged by the tenant's record of this `record_version`. `complete` are the columns, with their
    numbers, that each of its tickets was asked about.
    """

    tenant: str
    generation: str
    base: str
    record_version: str
    complete: Mapping[ColumnId, int]
    from_store: bool
    state: BucketState
    """Its own topic, positions and timers. Everything of the tenant below the positions is in it."""
    merged_from: Instant | None = None
    """What is due from then on has been moved to the bucket's due set already."""


class Swapped(msgspec.Struct, frozen=True):
    """It serves now. `before` and `after` are the counts of all tickets by column, at one and the same state."""

    version: int
    before: Mapping[int, int]
    after: Mapping[int, int]


class Gone(msgspec.Struct, frozen=True):
    """Nothing is written: it was swapped or given up before, or the tenant's serving generation is another one."""


class NotYet(msgspec.Struct, frozen=True):
    """Nothing is written: it doesn't stand where the bucket stands. `why` is one of the constants below."""

    why: str


OTHER_RECORD = "record"
"""The tenant's record has changed: adopt it."""
OTHER_TOPIC = "topic"
"""The bucket's positions belong to another events topic: begin anew."""
BEHIND = "positions"
"""The bucket's positions have moved on: read further."""
AHEAD = "ahead"
"""It has what the bucket hasn't, so the store went back meanwhile: begin anew."""
DUE = "due"
"""Some of its tickets are due by the bucket's timers: judge them again."""
LAPSED = "lapsed"
"""What was moved to the bucket's due set may have been forgotten there: begin anew."""

SwapOutcome = Swapped | Gone | NotYet


class Memory(msgspec.Struct, frozen=True):
    """Bytes in use, and the most that may be, 0 for no limit."""

    used: int
    most: int


class BuildingStore(EventStore, BackfillStore, Protocol):
    """A counter store in which the next generation of a tenant can be built. At most one for each tenant."""

    async def building(self, tenant: str) -> Building | None:
        """The tenant's building, as far as it is."""

    async def begin_building(self, tenant: str, expected: str | None, new: Building | None) -> bool:
        """Begins one, or gives the last one up (None), and orphans that. False when the last one isn't of the
        `expected` generation (None: there is none), or the new one's base and token aren't the tenant's."""

    async def adopt_building(self, building: Building, record_version: str, complete: Mapping[ColumnId, int]) -> bool:
        """From now on it is judged by this record; False when it isn't as `building` any more."""

    async def load_building(self, building: Building, tickets: Sequence[str]) -> Loaded:
        """Like `load`, of its own state and tickets. The token is that of the record it is judged by, "" for none."""

    async def apply_building(self, batch: Batch) -> Outcome:
        """Like `apply`, of one tenant's building: against its own state, and without a hint."""

    async def building_due(self, building: Building, now: Instant, limit: int) -> Sequence[DueTicket]:
        """Like `due`, of its own due set and timers."""

    async def merge_due(self, building: Building, since: Instant, limit: int) -> int:
        """Moves about `limit` of its tickets that are due at `since` or later to the bucket's due set.

        Returns how many there were. Whatever instant is given first stands.
        """

    async def swap(self, building: Building, record_version: str, latest: Instant) -> SwapOutcome:
        """Makes it the tenant's serving generation under a new `record_version`, in one step, and orphans the old one.

        Only when it stands exactly where the bucket stands: positions, record, timers. `latest` is what no consumer's
        clock can have reached yet.
        """

    async def memory(self, bucket: Bucket) -> Memory:
        """How full the part of the store is that the bucket is in."""
