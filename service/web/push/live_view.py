"""One view, kept at its newest state for all streams that show it. Level-triggered: keeps no backlog, replays nothing.

A hint makes it dirty. The first is followed at once, then at most one read every `SPACING_S`; what comes meanwhile
is read at the end of it. Without any hint it reads every `RECONCILE_S`, so that a lost one costs seconds only.
"""

import asyncio
from typing import NamedTuple

import msgspec
import structlog

from service.domain.view import InvalidIds, Wanted, Warming
from service.store.port import StoreUnavailable
from service.store.reading import Reading, UnknownTenant
from service.web.push.state import State, state_of
from service.web.replies import encode

log = structlog.stdlib.get_logger(__name__)

SPACING_S = 0.1
"""At most ten frames a second: faster than people read, slow enough for a burst to become one frame."""

RECONCILE_S = 5.0
"""How late a view is at worst when hints are lost."""


class ViewKey(NamedTuple):
    """What makes two streams show the same."""

    tenant_id: str
    realm: str
    wanted: Wanted
    timezone: str


class LiveView:
    """Streams register, then wait for `state` to become another one or for `ended`."""

    def __init__(self, key: ViewKey, reading: Reading) -> None:
        self.key = key
        self._reading = reading
        self._dirty = asyncio.Event()
        self._details: tuple[str, msgspec.Raw] = ("", msgspec.Raw(b"{}"))
        self._told: int | None = None
        self.state: State | None = None
        """The newest; it never goes back within an epoch."""
        self.ended = ""
        """Why streams of this view have to end; "" while they needn't."""
        self.waiting: set[asyncio.Event] = set()
        """An event per stream, set when there is something new for it."""
        self._following: asyncio.Task[None] | None = None

    def touch(self) -> None:
        """Something may have changed."""
        self._dirty.set()

    async def begin(self) -> State:
        """The state for a stream to begin with, read after this call. Raises what `Reading.answer` does."""
        state = self._take(await self._read())
        if self._told is None:
            self._told = state.look
        elif state.look != self._told:
            self.touch()  # the other streams are told at the view's pace, however many come
        return state

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
                async with asyncio.timeout(RECONCILE_S):
                    await self._dirty.wait()
            except TimeoutError:
                pass
            self._dirty.clear()
            read_at = loop.time()
            await self._refresh()
            await asyncio.sleep(max(0.0, read_at + SPACING_S - loop.time()))

    async def _refresh(self) -> None:
        try:
            self._take(await self._read())
        except (InvalidIds, UnknownTenant):
            self.ended = "access"
            self.wake()
        except (StoreUnavailable, Warming) as error:
            self._stale(str(error))
        except Exception:  # the last resort: what is wrong with one view must not end those of others
            log.exception("a view failed", tenant=self.key.tenant_id)
            self._stale("it failed")
        self._tell()

    async def _read(self) -> State:
        key = self.key
        answer = await self._reading.answer(key.tenant_id, key.realm, key.wanted, key.timezone)
        if self._details[0] != answer.token:
            self._details = (answer.token, msgspec.Raw(encode(answer.view.details(key.wanted.filter_ids))))
        return state_of(answer, key.wanted, key.timezone, self._details[1])

    def _take(self, state: State) -> State:
        """Keeps what was read unless it is older than what is kept: two reads may end in the other order."""
        kept = self.state
        if kept is not None and kept.epoch == state.epoch and state.version < kept.version:
            return kept
        if kept is not None and state.since(kept) is None:
            state.look = kept.look
        self.state = state
        return state

    def _stale(self, problem: str) -> None:
        if self.state is not None and self.state.fresh:
            log.info("a view can't be read now", tenant=self.key.tenant_id, problem=problem)
            self.state = self.state.stale()

    def _tell(self) -> None:
        """Wakes the streams when there is something to see."""
        if self.state is not None and self.state.look != self._told:
            self._told = self.state.look
            self.wake()

    def wake(self) -> None:
        """Has every stream look."""
        for event in self.waiting:
            event.set()
