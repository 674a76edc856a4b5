"""Audits one tenant: recounts its stored tickets, compares every counter, and repairs proven faults.

Never compares across two versions, though events go on: the audit reads tickets page by page, the store records which
tickets change meanwhile, and one atomic read returns those tickets again together with the counters.
"""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

import msgspec

from consumers.audit.judging import Judge, WrongCell, instants_of, right_counter, wrong_cells
from consumers.coordination.live_work import LiveWork
from service.clock import Clock
from service.domain.counting.recount import Recount
from service.domain.counting.scopes import EVERYONE
from service.store.page_size import PageSize
from service.store.ports.auditing import AuditAsk, AuditedStore, AuditRead, Repair
from service.store.ports.errors import StoreUnavailable
from service.store.random_id import new_random_id

PAGE, FIRST_PAGE = 200, 20
"""Most tickets per read, and tickets in the first read, which shows how large they are."""

PAGE_S = 0.02
"""A page that takes longer makes the next one smaller: events wait behind a page."""

COUNTERS = 50
"""Counters per read. A person's counter has some hundred bytes, a team's some KB."""

REST_SHARE = 1.0
"""Pause after each read, as a share of its duration: an audit uses at most half of a core and of Redis."""

BEGINNINGS = 5
"""Attempts before an audit gives up. A new generation or a new run of the store ends an attempt."""

TRIES = 200
"""Attempts to read the same counters between two writes, and attempts of one repair: milliseconds each."""

AGAIN_S = 0.05
"""Pause in seconds before another attempt, after a concurrent change or audit defeated the last one."""


class Unproven(Exception):
    """The audit proved neither drift nor its absence: try again later. The message says why."""


class _Lost(Exception):
    """The tickets read so far are no longer usable: start the audit again."""


class Mender(Protocol):
    """Evaluates tickets again, so that their contributions are right."""

    async def repair(self, tenant: str, generation: str, tickets: Iterable[str]) -> None:
        """Tries once to repair these tickets. Raises StoreUnavailable."""


class TenantReport(msgspec.Struct):
    """The faults of a tenant. `repaired`: all of them are repaired."""

    tenant: str
    tickets: int = 0
    counters: int = 0
    version: int = 0
    cells: list[WrongCell] = []
    wrong_tickets: dict[str, str] = {}
    repaired: bool = False

    @property
    def drift(self) -> int:
        """Wrong cells, and tickets whose stored contributions or due times are wrong."""
        return len(self.cells) + len(self.wrong_tickets)


class TenantAudit:
    """Audits one tenant at a time, and repairs it when there is a `mender`. Waits while `live` work is under way."""

    def __init__(
        self, store: AuditedStore, clock: Clock, mender: Mender | None = None, live: LiveWork | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._mender = mender
        self._live = live or LiveWork()

    async def run(self, tenant: str, stored_counters: Iterable[str] = ()) -> TenantReport:
        """Audits the tenant. Raises Unproven.

        Compares `stored_counters` too, so that a counter without tickets is found. A tenant that is removed meanwhile
        has an empty report.
        """
        problem = ""
        for attempt in range(BEGINNINGS):
            if attempt:
                await asyncio.sleep(AGAIN_S)
            try:
                stored = await self._store.tenant(tenant)
                if stored is None:
                    return TenantReport(tenant)
                one = _Pass(self._store, self._clock, self._mender, self._live, tenant, stored.generation)
                try:
                    return await one.run(stored_counters)
                finally:
                    await self._store.end_audit(tenant, stored.generation, one.holder)
            except (_Lost, StoreUnavailable) as error:
                problem = str(error)
        raise Unproven(f"tenant {tenant}: {problem}")


class _Pass:
    """One attempt, within one generation and one run of the store."""

    def __init__(
        self,
        store: AuditedStore,
        clock: Clock,
        mender: Mender | None,
        live: LiveWork,
        tenant: str,
        generation: str,
    ) -> None:
        self.holder = new_random_id()
        self._live = live
        self._store = store
        self._clock = clock
        self._mender = mender
        self._ask = AuditAsk(tenant, generation, self.holder)
        self._size = PageSize(FIRST_PAGE, PAGE, PAGE_S)
        self._run = ""
        self._recount = Recount()
        self._judge: Judge | None = None
        self._unjudged: set[str] = set()
        self._wrong: dict[str, str] = {}

    async def run(self, stored_counters: Iterable[str]) -> TenantReport:
        report = TenantReport(self._ask.tenant, cells=[], wrong_tickets={})
        read = await self._read(begin=True, cursor=0)
        while read.cursor:
            read = await self._read(cursor=read.cursor)
        done: set[str] = set()
        while names := ({EVERYONE, *stored_counters} | self._recount.counters()) - done:
            for chunk in _chunks(sorted(names), COUNTERS):
                report.version = await self._compare(chunk, report)
            done |= names
        while self._unjudged:
            await self._read(tickets=tuple(islice(self._unjudged, PAGE)))
        report.tickets, report.counters = len(self._recount), len(done)
        report.wrong_tickets = dict(self._wrong)
        if self._mender is not None:
            await self._repair_tickets(self._mender)
            report.repaired = True
        return report

    async def _read(
        self,
        *,
        begin: bool = False,
        cursor: int | None = None,
        tickets: tuple[str, ...] = (),
        counters: tuple[str, ...] = (),
    ) -> AuditRead:
        """Reads once and records the tickets of the read.

        Rests afterwards, unless changed tickets are left: those must be read before the counters. A page of tickets
        waits for live work. Counters don't, because each ticket written meanwhile has to be read again.
        """
        loop = asyncio.get_running_loop()
        if cursor is not None:
            await self._live.give_way()
        began = loop.time()
        ask = msgspec.structs.replace(
            self._ask, begin=begin, cursor=cursor, limit=self._size.tickets, tickets=tickets, counters=counters
        )
        read = await self._store.audit(ask)
        if read is None:
            raise _Lost("another audit of its bucket is under way" if begin else "the store no longer keeps this audit")
        if read.run != (self._run or read.run):
            raise _Lost("the store restarted or failed over")
        self._run = read.run
        if cursor is not None:
            self._size.note(loop.time() - began)
        await self._record(read)
        if not read.left:
            await asyncio.sleep(REST_SHARE * (loop.time() - began))
        return read

    async def _record(self, read: AuditRead) -> None:
        judge = await self._judge_of(read.record_version)
        instants = instants_of(read, self._clock.now_us())
        for one in read.tickets:
            self._recount.put(one.ticket, one.ticket_state)
            self._wrong.pop(one.ticket, None)
            self._unjudged.discard(one.ticket)
            if judge is None:
                self._unjudged.add(one.ticket)
            elif problem := judge.problem(one, instants):
                self._wrong[one.ticket] = problem

    async def _judge_of(self, record_version: str) -> Judge | None:
        """Returns the judge for this record version; None when the record has changed since the read."""
        if self._judge is None or self._judge.record_version != record_version:
            stored = await self._store.tenant(self._ask.tenant)
            self._judge = None if stored is None else Judge(stored)
        return self._judge if self._judge is not None and self._judge.record_version == record_version else None

    async def _compare(self, names: tuple[str, ...], report: TenantReport) -> int:
        """Compares some counters at one version, repairs them when there is a mender, and returns the version."""
        for _ in range(TRIES):
            version, wrong = await self._wrong_cells(names)
            cells = [cell for found in wrong.values() for cell in found]
            if not cells or self._mender is None:
                report.cells += cells
                return version
            right = {name: right_counter(name, found, self._recount) for name, found in wrong.items()}
            ask = self._ask
            if await self._store.repair(Repair(ask.tenant, ask.generation, self.holder, version, right)) is not None:
                report.cells += cells  # the next read checks the repair
            else:
                await asyncio.sleep(0)  # an event came first: the comparison is of an older version
        raise Unproven(f"tenant {self._ask.tenant}: its counts change faster than they can be repaired")

    async def _wrong_cells(self, names: tuple[str, ...]) -> tuple[int, dict[str, list[WrongCell]]]:
        for _ in range(TRIES):
            read = await self._read(counters=names)
            if read.counters is not None:
                found = {name: wrong_cells(name, stored, self._recount) for name, stored in read.counters.items()}
                return read.version, {name: cells for name, cells in found.items() if cells}
        raise Unproven(f"tenant {self._ask.tenant}: its tickets change faster than they can be read")

    async def _repair_tickets(self, mender: Mender) -> None:
        for _ in range(TRIES):
            if not self._wrong:
                return
            tickets = tuple(islice(self._wrong, PAGE))
            await mender.repair(self._ask.tenant, self._ask.generation, tickets)
            await self._read(tickets=tickets)
            await asyncio.sleep(AGAIN_S if tickets == tuple(islice(self._wrong, PAGE)) else 0)
        raise Unproven(f"tenant {self._ask.tenant}: {len(self._wrong)} tickets could not be repaired")


def _chunks(names: list[str], size: int) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(names), size):
        yield tuple(names[start : start + size])
