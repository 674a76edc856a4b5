"""Counts an unsaved condition by scanning the stored tickets, within limits. Never writes to the store.

The result is no snapshot: each ticket counts once, in the state that the scan read, with time conditions at one `now`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Protocol

import msgspec

from service import timezones
from service.clock import Clock
from service.domain.conditions.condition import AllOf, Condition
from service.domain.counting.viewer import Perspective, Viewer
from service.domain.tenants.record import TenantRecord
from service.domain.tenants.view import CountRequest, Warming, profile_entries
from service.domain.tenants.viewer_filter import ViewerFilter
from service.domain.tickets.ticket import Instant
from service.queries.counts import CountQueries, UnknownTenant
from service.queries.fair_places import Crowded, CrowdedByYou, FairPlaces
from service.store.page_size import PageSize
from service.store.ports.budgets import OverBudget
from service.store.ports.catalogue import EntryReader, StoredTenant
from service.store.ports.errors import StoreUnavailable
from service.store.ports.reading import TicketPage, TicketReader
from service.turns import Turns, in_turns

DIGEST_BYTES = 16
"""128 bits: no two ids collide, and a million of them take 16 MB, where a set of strings took over 100 MB."""

SHARES = 256
"""Digests are split by their first byte, so that counting one share of a million takes less than a millisecond."""


class Distinct:
    """Counts distinct ids in little memory; an id may be added any number of times."""

    def __init__(self) -> None:
        self._shares = [bytearray() for _ in range(SHARES)]

    def add(self, name: str) -> None:
        """Adds an id; adding it again changes nothing."""
        digest = blake2b(name.encode(), digest_size=DIGEST_BYTES).digest()
        self._shares[digest[0]] += digest

    def totals(self) -> Iterator[int]:
        """Yields the number of distinct ids of each share, so that other tasks can run between shares; their sum is the
        total."""
        for share in self._shares:
            whole = bytes(share)
            yield len({whole[start : start + DIGEST_BYTES] for start in range(0, len(whole), DIGEST_BYTES)})


PAGE, FIRST_PAGE = 100, 10
"""Most tickets per read, which take half a millisecond. Twice as many delay other tasks twice as long and save nothing.

The first read is smaller, because the size of the tickets is unknown until then."""

PAGE_BYTES = 256 << 10
"""Most bytes per read, unless one ticket alone is larger: a millisecond of Redis, however large tickets are."""

LARGE_BYTES = 8 << 10
"""When the tickets of a page are larger on average, each is evaluated leaf by leaf, with other tasks in between."""

ATTEMPTS = 2
"""Most scans for one preview: restarts and rebuilds are rare, so two interrupted scans in a row prove a fault."""

WAITING = 16
"""Previews that may wait for a place: those of some busy offices. In a longer queue, they would time out."""

BUSY_RETRY_S = 1
SLOW_RETRY_S = 30
LARGE_RETRY_S = 3_600
"""A tenant that is too large stays so for long."""


class PreviewLimits(msgspec.Struct, frozen=True):
    """Limits on previews in one process: tickets and seconds of each, and how many run at once."""

    tickets: int
    deadline_s: float
    at_once: int


class PreviewRequest(msgspec.Struct, frozen=True):
    """A request to count a compiled condition, optionally narrowed by a profile; `zone` is a known time zone name."""

    viewer: Viewer
    perspective: Perspective
    where: Condition
    profile_id: str | None
    zone: str


class Preview(msgspec.Struct, frozen=True):
    """The number of tickets, with every time condition evaluated at `now`."""

    count: int
    now: Instant


class Unfinished(Exception):
    """The preview exceeded a limit: give the caller the message, and the seconds to wait before the next try."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PreviewReader(EntryReader, TicketReader, Protocol):
    """Reads tenants and their tickets. Raises StoreUnavailable."""


class PreviewQueries:
    """Counts previews; one instance per process, because it limits how many run at once."""

    def __init__(self, queries: CountQueries, reader: PreviewReader, clock: Clock, limits: PreviewLimits) -> None:
        self._queries = queries
        self._reader = reader
        self._clock = clock
        self._limits = limits
        self._places = FairPlaces(limits.at_once, WAITING)

    async def count(self, tenant_id: str, realm: str, question: PreviewRequest) -> Preview:
        """Returns the number of tickets that the viewer would see.

        Raises UnknownTenant, InvalidIds for the profile, Warming for a loading tenant or a store without the catalogue,
        Unfinished, OverBudget when the user or tenant already has enough previews, and StoreUnavailable.
        """
        view = await self._queries.newest_view(tenant_id, realm)
        view.check(CountRequest(question.viewer, question.perspective, (), question.profile_id))
        if view.loading:
            raise Warming(tenant_id, loading=True)
        try:
            async with asyncio.timeout(self._limits.deadline_s), self._place(tenant_id, question.viewer.user):
                return await self._counted(tenant_id, realm, question)
        except TimeoutError:
            limit = f"{self._limits.deadline_s:g} s"
            raise Unfinished(f"The preview took longer than {limit}; a saved filter is counted", SLOW_RETRY_S) from None

    @asynccontextmanager
    async def _place(self, tenant_id: str, user: str) -> AsyncIterator[None]:
        try:
            async with self._places.place(tenant_id, user):
                yield
        except Crowded:
            raise Unfinished("Too many previews are under way", BUSY_RETRY_S) from None
        except CrowdedByYou:
            raise OverBudget("previews under way", BUSY_RETRY_S) from None

    async def _counted(self, tenant_id: str, realm: str, question: PreviewRequest) -> Preview:
        for _ in range(ATTEMPTS):
            stored = await self._queries.stored(tenant_id)
            if stored is None or stored.record.entries.settings.realm != realm:
                raise UnknownTenant(tenant_id)
            await self._check_size(tenant_id, stored)
            now = self._clock.now_us()
            viewer_filter = _viewer_filter(stored.record, question, now)
            count = await self._scan(tenant_id, stored.generation, viewer_filter)
            if count is not None:
                return Preview(count, now)
        raise StoreUnavailable(f"the store changed under {ATTEMPTS} scans of tenant {tenant_id}")

    async def _check_size(self, tenant_id: str, stored: StoredTenant) -> None:
        if await self._reader.ticket_count(tenant_id, stored.generation) > self._limits.tickets:
            raise self._too_large()

    async def _scan(self, tenant_id: str, generation: str, viewer_filter: ViewerFilter) -> int | None:
        """Returns how many tickets count; None when a restart or a rebuild invalidated the scan."""
        counted, turns, scanned, cursor, run = Distinct(), Turns(), 0, 0, ""
        size = PageSize(FIRST_PAGE, PAGE, PAGE_BYTES)
        while True:
            page = await self._reader.ticket_states(tenant_id, generation, cursor, size.tickets)
            run = run or page.run
            if page.run != run:  # another run orders its tickets differently: the cursor is invalid there
                return None
            size.note(page.size_bytes)
            scanned += await _count_page(page, viewer_filter, counted, turns)
            if scanned > self._limits.tickets:
                raise self._too_large()
            cursor = page.cursor
            if cursor == 0:
                break
        stored = await self._reader.tenant(tenant_id)
        return await _total(counted, turns) if stored is not None and stored.generation == generation else None

    def _too_large(self) -> Unfinished:
        limit = self._limits.tickets
        return Unfinished(
            f"More than {limit} tickets are too many for a preview; a saved filter is counted", LARGE_RETRY_S
        )


def _viewer_filter(record: TenantRecord, question: PreviewRequest, now: Instant) -> ViewerFilter:
    """Builds the filter. Raises InvalidIds when the profile was just removed, Warming while its edit is filling."""
    entries, condition = record.newest, question.where
    if question.profile_id is not None:
        entries = profile_entries(record, question.profile_id, question.viewer)
        condition = AllOf((entries.profiles[question.profile_id].where, condition))
    day = timezones.day_at(now, question.zone)
    return ViewerFilter(condition, entries.settings, question.viewer, question.perspective, now, day)


async def _count_page(page: TicketPage, viewer_filter: ViewerFilter, counted: Distinct, turns: Turns) -> int:
    """Adds the ids of tickets that count; returns the page's length. A scan may return a ticket twice."""
    scanned = 0
    for name, ticket_state in page.tickets:
        scanned += 1
        if ticket_state.ticket is not None:
            large = page.size_bytes > LARGE_BYTES * scanned
            if (
                await in_turns(viewer_filter.counts_in_steps(ticket_state.ticket))
                if large
                else viewer_filter.counts(ticket_state.ticket)
            ):
                counted.add(name)
        if turns.over:
            await turns.next()
    await turns.next()
    return scanned


async def _total(counted: Distinct, turns: Turns) -> int:
    total = 0
    for part in counted.totals():
        total += part
        if turns.over:
            await turns.next()
    return total
