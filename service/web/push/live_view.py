"""Keeps one view at its newest state for all streams that show it. Level-triggered: no backlog, no replay.

A hint marks the view dirty. After a rest the view is read at once; further reads keep a pace, and each covers all hints
since the last one. Without a hint the view is read every `RECONCILE_S`, so that a lost hint costs only seconds, and at
the viewer's next midnight, when `today` and its kin begin to mean other days.
"""

import asyncio
from typing import NamedTuple, Protocol

import msgspec
import structlog

from service.domain.tenants.view import CountRequest, InvalidIds, Warming
from service.queries.counts import CountQueries, UnknownTenant
from service.store.ports.budgets import OverBudget
from service.store.ports.errors import StoreUnavailable
from service.web.http.replies import encode
from service.web.push.pace import Pace
from service.web.push.tally import StreamTally
from service.web.push.view_state import ViewState, state_of

log = structlog.stdlib.get_logger(__name__)

RECONCILE_S = 5.0
"""The longest delay of a view whose hints are lost."""

READ_WAIT_S = 5.0
"""Longest wait for one of the tenant's concurrent reads: numbers that are five seconds old aren't fresh any more."""

YIELD_EVERY = 64
"""Streams served before the loop turns: some milliseconds of work, so that other requests are answered in between."""


class ViewKey(NamedTuple):
    """Streams with the same key share one view."""

    tenant_id: str
    realm: str
    count_request: CountRequest
    timezone: str


class Subscriber(Protocol):
    """A stream, as its view sees it."""

    async def push(self) -> None:
        """Sends the view's changes without waiting for a slow client. Raises nothing."""


class _InitialRead(NamedTuple):
    """The result of a read for opening streams: a state or an error. Numbered from 1."""

    number: int
    state: ViewState | None = None
    error: Exception = RuntimeError("nothing has been read yet")


class LiveView:
    """Calls `push` of its registered streams when the content of `state` changes, and when the view has `ended`.

    `reads` bounds the concurrent reads of a tenant: its thousands of views must not hold up other tenants.
    """

    def __init__(self, key: ViewKey, queries: CountQueries, reads: asyncio.Semaphore, tally: StreamTally) -> None:
        self.key = key
        self._queries = queries
        self._reads = reads
        self._tally = tally
        self._dirty = asyncio.Event()
        self._touched_at = 0.0
        self._details: tuple[str, msgspec.Raw] = ("", msgspec.Raw(b"{}"))
        self._published: int | None = None
        self.state: ViewState | None = None
        """The newest state. Its version never goes back within an epoch."""
        self.ended = ""
        """The `bye` reason for all streams of this view; "" while the view is alive."""
        self.streams: dict[Subscriber, None] = {}
        """A set in order of arrival."""
        self.pending = 0
        """Requests that wait for their first state."""
        self.changed_at = 0.0
        """Loop time of the hint, or of the timer, that led to the last read."""
        self._midnight_at = float("inf")
        """Loop time of the viewer's next midnight, as of the last read."""
        self._pace = Pace()
        self._refreshing: asyncio.Task[None] | None = None
        self._initial_read_lock = asyncio.Lock()
        self._initial_reads = 0
        """The number of the newest initial read, which may still be under way."""
        self._last_initial = _InitialRead(0)

    def touch(self) -> None:
        """Marks the view dirty: its counts may have changed."""
        if not self._dirty.is_set():
            self._touched_at = asyncio.get_running_loop().time()
            self._dirty.set()

    async def initial_state(self) -> ViewState:
        """Returns a new stream's first state, from a read that began after this call.

        Streams that open together share a read. A stream that arrives while read 1 is under way waits for read 2,
        since read 1 may miss the newest changes. Raises what `CountQueries.answer` raises.
        """
        seen = self._initial_reads
        async with self._initial_read_lock:
            if self._last_initial.number <= seen:
                self._initial_reads += 1
                self._last_initial = await self._initial_read(self._initial_reads)
            initial = self._last_initial
        if initial.state is None:
            raise initial.error
        state = initial.state
        if self._published is None:
            self._published = state.content_id
        elif state.content_id != self._published:
            self.touch()  # the other streams get it at the view's pace, however many streams open
        return state

    async def _initial_read(self, number: int) -> "_InitialRead":
        try:
            return _InitialRead(number, self._keep(await self._read()))
        except (InvalidIds, UnknownTenant, Warming, OverBudget, StoreUnavailable) as error:  # for all that share it
            return _InitialRead(number, error=error)

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Starts the task that refreshes the state, unless it runs already."""
        if self._refreshing is None:
            self._refreshing = tasks.create_task(self._refresh_forever(), name="view")

    def stop(self) -> None:
        """Cancels the refreshing: no stream shows this view any more."""
        if self._refreshing is not None:
            self._refreshing.cancel()

    async def _refresh_forever(self) -> None:
        """Reads and publishes the state until the view ends."""
        loop = asyncio.get_running_loop()
        while not self.ended:
            try:
                async with asyncio.timeout_at(min(loop.time() + RECONCILE_S, self._midnight_at)):
                    await self._dirty.wait()
            except TimeoutError:
                self.touch()
            self._dirty.clear()
            touched_at, read_at = self._touched_at, loop.time()
            await self._refresh()
            self.changed_at = touched_at
            published = await self._publish()
            await asyncio.sleep(max(0.0, read_at + self._pace.rest_s(read_at, published=published) - loop.time()))

    async def _refresh(self) -> None:
        try:
            self._keep(await self._read())
        except (InvalidIds, UnknownTenant):
            self.ended = "access"
        except (StoreUnavailable, Warming, OverBudget) as error:
            self._mark_stale(str(error))
        except Exception:  # last resort: a fault in one view must not end the others
            log.exception("a view failed", tenant=self.key.tenant_id)
            self._mark_stale("an unexpected error")

    async def _read(self) -> ViewState:
        key = self.key
        try:
            async with asyncio.timeout(READ_WAIT_S):
                await self._reads.acquire()
        except TimeoutError:
            raise StoreUnavailable(f"the tenant's reads were all busy for {READ_WAIT_S} s") from None
        try:
            answer = await self._queries.answer(key.tenant_id, key.realm, key.count_request, key.timezone)
        finally:
            self._reads.release()
        left_s = (answer.day.ends - answer.now) / 1_000_000
        self._midnight_at = asyncio.get_running_loop().time() + left_s
        if self._details[0] != answer.record_version:
            self._details = (
                answer.record_version,
                msgspec.Raw(encode(answer.view.details(key.count_request.filter_ids))),
            )
        return state_of(answer, key.count_request, key.timezone, self._details[1])

    def _keep(self, state: ViewState) -> ViewState:
        """Keeps and returns the newer of the kept state and this one: reads may finish out of order."""
        kept = self.state
        if kept is not None and kept.epoch == state.epoch and state.version < kept.version:
            return kept
        if kept is not None:
            same = state.since(kept) is None
            state.content_id, state.revision = (
                (kept.content_id, kept.revision) if same else (state.content_id, kept.revision + 1)
            )
        self.state = state
        return state

    def _mark_stale(self, problem: str) -> None:
        if self.state is not None and self.state.fresh:
            log.info("a view can't be read now", tenant=self.key.tenant_id, problem=problem)
            self.state = self.state.stale()

    async def _publish(self) -> bool:
        """Pushes to all streams. Returns False, and pushes nothing, when neither content nor `ended` has changed."""
        if self.state is None or (self.state.content_id == self._published and not self.ended):
            return False
        self._published = self.state.content_id
        if self.state.fresh and self.state.age_us is not None:
            self._tally.age.note(self.state.age_us / 1_000_000)
        for number, stream in enumerate([*self.streams], start=1):
            await stream.push()
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        return True
