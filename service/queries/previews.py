"""Counts a condition that nobody has saved, by going over the stored tickets within limits. Never writes to the store.

What it counts is no snapshot: each ticket is taken as it was when the scan came by, once, at one `now`.
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
from service.store.ports.catalogue import CatalogueReader, StoredTenant
from service.store.ports.errors import StoreUnavailable
from service.store.ports.reading import TicketPage, TicketReader
from service.turns import Turns, in_turns

DIGEST_BYTES = 16
"""128 bits: no two ids ever meet, and a million of them take 16 MB where a set of them took over 100."""

SHARES = 256
"""Digests are kept by their first byte, so that each share of a million is counted in less than a millisecond."""


class Distinct:
    """Ids may be added any number of times."""

    def __init__(self) -> None:
        self._shares = [bytearray() for _ in range(SHARES)]

    def add(self, name: str) -> None:
        """Counts the id, unless it was added before."""
        digest = blake2b(name.encode(), digest_size=DIGEST_BYTES).digest()
        self._shares[digest[0]] += digest

    def totals(self) -> Iterator[int]:
        """The number of distinct ids, in parts to be added up: whoever does may do other things in between."""
        for share in self._shares:
            whole = bytes(share)
            yield len({whole[start : start + DIGEST_BYTES] for start in range(0, len(whole), DIGEST_BYTES)})


PAGE, FIRST_PAGE = 100, 10
"""Most tickets a read: half a millisecond to go over them. Twice as many delay others twice as long, and save nothing.

The first read shows how large they are."""

PAGE_BYTES = 256 << 10
"""Most bytes a read, if one ticket isn't more: a millisecond of Redis, however large tickets are."""

LARGE_BYTES = 8 << 10
"""Tickets of a page that are larger on average are judged leaf by leaf."""

ATTEMPTS = 2
"""Scans for one preview: restarts and rebuilds are rare, so a second one in a row means that something is wrong."""

WAITING = 16
"""Previews that may wait for a place: those of some busy offices; a longer queue would only grow old."""

BUSY_RETRY_S = 1
SLOW_RETRY_S = 30
LARGE_RETRY_S = 3_600
"""A tenant that is too large will be so for long."""


class PreviewLimits(msgspec.Struct, frozen=True):
    """How much previews may take of a process: tickets and seconds for each, and how many there are at once."""

    tickets: int
    deadline_s: float
    at_once: int


class PreviewRequest(msgspec.Struct, frozen=True):
    """What a viewer asks: a compiled condition, and perhaps a profile that narrows it; `zone` is a known name."""

    viewer: Viewer
    perspective: Perspective
    where: Condition
    profile_id: str | None
    zone: str


class Preview(msgspec.Struct, frozen=True):
    """The number of tickets, with every condition on time judged at `now`."""

    count: int
    now: Instant


class Unfinished(Exception):
    """The preview went beyond a limit: tell the caller the message, and to come back no sooner than that."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PreviewReader(CatalogueReader, TicketReader, Protocol):
    """Reads tenants and their tickets."""


class PreviewQueries:
    """One for a process: it knows how many previews are under way."""

    def __init__(self, queries: CountQueries, reader: PreviewReader, clock: Clock, limits: PreviewLimits) -> None:
        self._queries = queries
        self._reader = reader
        self._clock = clock
        self._limits = limits
        self._places = FairPlaces(limits.at_once, WAITING)

    async def count(self, tenant_id: str, realm: str, question: PreviewRequest) -> Preview:
        """How many tickets the viewer would be told.

        Raises UnknownTenant, InvalidIds for the profile, Warming for a loading tenant or a store without the catalogue,
        Unfinished, OverBudget for who has enough under way already, and StoreUnavailable.
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
        """How many tickets are counted; None when another run or a rebuild took the tickets away meanwhile."""
        counted, turns, looked, cursor, run = Distinct(), Turns(), 0, 0, ""
        size = PageSize(FIRST_PAGE, PAGE, PAGE_BYTES)
        while True:
            page = await self._reader.ticket_states(tenant_id, generation, cursor, size.tickets)
            run = run or page.run
            if page.run != run:  # it orders its tickets otherwise: the cursor means nothing there
                return None
            size.note(page.size_bytes)
            looked += await _look(page, viewer_filter, counted, turns)
            if looked > self._limits.tickets:
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
    """Raises InvalidIds when the profile went just now, and Warming where its edit isn't filled for this viewer."""
    entries, condition = record.newest, question.where
    if question.profile_id is not None:
        entries = profile_entries(record, question.profile_id, question.viewer)
        condition = AllOf((entries.profiles[question.profile_id].where, condition))
    day = timezones.day_at(now, question.zone)
    return ViewerFilter(condition, entries.settings, question.viewer, question.perspective, now, day)


async def _look(page: TicketPage, viewer_filter: ViewerFilter, counted: Distinct, turns: Turns) -> int:
    """Adds those that count; returns how many were looked at. A scan may come by a ticket twice."""
    looked = 0
    for name, ticket_state in page.tickets:
        looked += 1
        if ticket_state.ticket is not None:
            large = page.size_bytes > LARGE_BYTES * looked
            if (
                await in_turns(viewer_filter.counts_in_steps(ticket_state.ticket))
                if large
                else viewer_filter.counts(ticket_state.ticket)
            ):
                counted.add(name)
        if turns.over:
            await turns.next()
    await turns.next()
    return looked


async def _total(counted: Distinct, turns: Turns) -> int:
    total = 0
    for part in counted.totals():
        total += part
        if turns.over:
            await turns.next()
    return total
