"""One view, kept at its newest state for all streams that show it. Level-triggered: keeps no backlog, replays nothing.

A hint makes it dirty. The first is followed at once, then reads keep a pace; what comes meanwhile is read at the
end of it. Without any hint it reads every `RECONCILE_S`, so that a lost one costs seconds only, and at
the viewer's next midnight, when calendar words begin to mean other days.
"""

import asyncio
from typing import NamedTuple, Protocol

import msgspec
import structlog

from service.domain.tenants.view import CountRequest, InvalidIds, Warming
from service.queries.counts import CountQueries, UnknownTenant
from service.store.ports.budgets import OverBudget
from service.store.ports.counter_store import StoreUnavailable
from service.web.http.replies import encode
from service.web.push.pace import Pace
from service.web.push.tally import StreamTally
from service.web.push.view_state import ViewState, state_of

log = structlog.stdlib.get_logger(__name__)

RECONCILE_S = 5.0
"""How late a view is at worst when hints are lost."""

TURN_S = 5.0
"""Longest wait of a view for its turn to be read: numbers that old are called stale by the contract."""

MAX_TOGETHER = 64
"""Streams that are told without letting go of the loop: some milliseconds, so that others are answered in between."""


class ViewKey(NamedTuple):
    """What makes two streams show the same."""

    tenant_id: str
    realm: str
    count_request: CountRequest
    timezone: str


class Shown(Protocol):
    """Whoever shows a view: a stream."""

    async def push(self) -> None:
        """Looks at the view and sends what is new, without waiting for a slow client. Raises nothing."""


class _Begun(NamedTuple):
    """What came of a read for streams that open: a state, or why there is none."""

    number: int
    state: ViewState | None = None
    error: Exception = RuntimeError("nothing was read yet")


class LiveView:
    """Streams register; they are told when `state` becomes another one, and when the view has `ended`.

    `reads` bounds how many views of a tenant are read at once: thousands of them must not hold up everybody else.
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
        """The newest; it never goes back within an epoch."""
        self.ended = ""
        """Why streams of this view have to end; "" while they needn't."""
        self.streams: dict[Shown, None] = {}
        """In the order they came."""
        self.pending = 0
        """Requests that wait for a state to begin with."""
        self.heard_at = 0.0
        """When it heard of what it shows now, by the loop's time."""
        self._midnight_at = float("inf")
        """By the loop's time, as of the last read."""
        self._pace = Pace()
        self._following: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()
        self._begun = 0
        """How many reads were begun for streams that open."""
        self._last = _Begun(0)

    def touch(self) -> None:
        """Something may have changed."""
        if not self._dirty.is_set():
            self._touched_at = asyncio.get_running_loop().time()
            self._dirty.set()

    async def begin(self) -> ViewState:
        """The state for a stream to begin with, read after this call. Raises what `CountQueries.answer` does.

        Streams that open together share one read: those that come while one is under way wait for the next one.
        """
        before = self._begun
        async with self._beginning:
            if self._last.number <= before:
                self._begun += 1
                self._last = await self._begin_read(self._begun)
            last = self._last
        if last.state is None:
            raise last.error
        state = last.state
        if self._published is None:
            self._published = state.content_id
        elif state.content_id != self._published:
            self.touch()  # the other streams are told at the view's pace, however many come
        return state

    async def _begin_read(self, number: int) -> "_Begun":
        try:
            return _Begun(number, self._take(await self._read()))
        except (InvalidIds, UnknownTenant, Warming, OverBudget, StoreUnavailable) as error:  # told to all that share it
            return _Begun(number, error=error)

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begins to keep the state newest, unless it does so already."""
        if self._following is None:
            self._following = tasks.create_task(self._follow(), name="view")

    def stop(self) -> None:
        """Nobody looks any more."""
        if self._following is not None:
            self._following.cancel()

    async def _follow(self) -> None:
        """Keeps the state newest until the view ends."""
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
            self.heard_at = touched_at
            published = await self._tell()
            await asyncio.sleep(max(0.0, read_at + self._pace.rest_s(read_at, published=published) - loop.time()))

    async def _refresh(self) -> None:
        try:
            self._take(await self._read())
        except (InvalidIds, UnknownTenant):
            self.ended = "access"
        except (StoreUnavailable, Warming, OverBudget) as error:
            self._stale(str(error))
        except Exception:  # the last resort: what is wrong with one view must not end those of others
            log.exception("a view failed", tenant=self.key.tenant_id)
            self._stale("it failed")

    async def _read(self) -> ViewState:
        key = self.key
        try:
            async with asyncio.timeout(TURN_S):
                await self._reads.acquire()
        except TimeoutError:
            raise StoreUnavailable(f"no turn to read within {TURN_S} s") from None
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

    def _take(self, state: ViewState) -> ViewState:
        """Keeps what was read unless it is older than what is kept: two reads may end in the other order."""
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

    def _stale(self, problem: str) -> None:
        if self.state is not None and self.state.fresh:
            log.info("a view can't be read now", tenant=self.key.tenant_id, problem=problem)
            self.state = self.state.stale()

    async def _tell(self) -> bool:
        """Has the streams look when there is something to see; False when there is nothing."""
        if self.state is None or (self.state.content_id == self._published and not self.ended):
            return False
        self._published = self.state.content_id
        if self.state.fresh and self.state.age_us is not None:
            self._tally.age.note(self.state.age_us / 1_000_000)
        for number, stream in enumerate([*self.streams], start=1):
            await stream.push()
            if number % MAX_TOGETHER == 0:
                await asyncio.sleep(0)
        return True
