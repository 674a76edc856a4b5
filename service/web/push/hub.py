"""All live views of this process, by what they show and by tenant. One subscription to hints serves them all."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import Receive, Scope, Send

from service.clock import Clock
from service.queries.counts import CountQueries
from service.web.http.replies import Headers
from service.web.push.frames import Frame
from service.web.push.live_view import LiveView, ViewKey
from service.web.push.stream import HEADERS, Stream, Terms, retry_ms
from service.web.push.stream_limiter import StreamLimiter, StreamOwner
from service.web.push.tally import StreamTally
from service.web.push.view_state import ViewState


class TurnedAway:
    """Softly: any other status than 200 would end an `EventSource` for good."""

    def __init__(self, bye: Frame, headers: Headers) -> None:
        self._bye = bye
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS + self._headers})
        await send({"type": "http.response.body", "body": self._bye.encoded})


Listen = Callable[[Callable[[str], None], Callable[[], None]], Coroutine[Any, Any, None]]
"""Follows hints for ever: calls the first with a tenant, the second after a gap."""


DRAIN_SPREAD_S = 2.0
"""Streams of a process that ends say so over this time, so that they don't all come back at once."""

READS_AT_ONCE = 64
"""Views of one tenant that are read at once: what one round trip carries cheaply, some milliseconds of the store."""


class _TenantViews:
    """The views of one tenant, and their turns to be read."""

    def __init__(self) -> None:
        self.views: set[LiveView] = set()
        self.reads = asyncio.Semaphore(READS_AT_ONCE)


class Hub:
    """Views live while a stream shows them, and are kept newest inside `running()`."""

    def __init__(
        self, queries: CountQueries, limiter: StreamLimiter, clock: Clock, drain_spread_s: float = DRAIN_SPREAD_S
    ) -> None:
        self._queries = queries
        self._limiter = limiter
        self._clock = clock
        self.drain_spread_s = drain_spread_s
        self._views: dict[ViewKey, LiveView] = {}
        self._by_tenant: dict[str, _TenantViews] = {}
        self._streams: set[Stream] = set()
        self._group: asyncio.TaskGroup | None = None
        self._subscribed = False
        self.draining = False
        self.tally = StreamTally()

    @asynccontextmanager
    async def running(self, listen: Listen) -> AsyncIterator["Hub"]:
        """Follows hints and views while the context is open."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            hints = group.create_task(listen(self._changed, self._gap), name="hints")
            try:
                yield self
            finally:
                self._group = None
                hints.cancel()
                for stream in self._streams:
                    stream.stop()
                for view in self._views.values():
                    view.stop()

    @property
    def open_streams(self) -> int:
        """Streams open now: those that only wait for their first state are none yet."""
        return len(self._streams)

    def drain(self) -> None:
        """The process is about to end: every stream says so within the spread, and ends."""
        self.draining = True
        now = asyncio.get_running_loop().time()
        for stream in self._streams:
            stream.drain(now + random.uniform(0, self.drain_spread_s))

    @asynccontextmanager
    async def view(self, key: ViewKey) -> AsyncIterator[tuple[LiveView, ViewState]]:
        """The view and its state as read now, kept while the context is open or a stream shows it.

        Registers before it reads, so that no change falls in between. Raises what `CountQueries.answer` does.
        """
        view = self._views.get(key)
        if view is None or view.ended:
            tenant = self._by_tenant.setdefault(key.tenant_id, _TenantViews())
            view = self._views[key] = LiveView(key, self._queries, tenant.reads, self.tally)
            tenant.views.add(view)
        view.pending += 1
        try:
            yield view, await view.begin()
        finally:
            view.pending -= 1
            self._forget_unless_shown(view)

    def open(self, view: LiveView, state: ViewState, terms: Terms, owner: StreamOwner) -> Stream | None:
        """A stream of the view, to be called as the answer; None when there is no place for it."""
        if self._group is None:
            raise RuntimeError("streams are opened while the hub is running")
        if self.draining or not self._limiter.take(owner):
            return None
        view.start(self._group)
        stream = Stream(view, state, terms, owner, self._clock, self._group, self.tally, self._close)
        view.streams[stream] = None
        self._streams.add(stream)
        self.tally.open[terms.kind] += 1
        return stream

    def turned_away(self, state: ViewState, terms: Terms) -> TurnedAway:
        """The answer instead of a stream."""
        reason = "drain" if self.draining else "overload"
        self.tally.turned_away[reason] += 1
        return TurnedAway(state.turned_away(reason, terms.last_event_id, retry_ms()), terms.headers)

    def _close(self, stream: Stream) -> None:
        self._streams.discard(stream)
        del stream.view.streams[stream]
        self._limiter.give_back(stream.owner)
        self.tally.open[stream.terms.kind] -= 1
        self.tally.closed[stream.reason] += 1
        self._forget_unless_shown(stream.view)

    def _forget_unless_shown(self, view: LiveView) -> None:
        if view.streams or view.pending:
            return
        view.stop()
        if self._views.get(view.key) is view:
            del self._views[view.key]
        tenant = self._by_tenant[view.key.tenant_id]
        tenant.views.discard(view)
        if not tenant.views:
            del self._by_tenant[view.key.tenant_id]

    def _changed(self, tenant_id: str) -> None:
        tenant = self._by_tenant.get(tenant_id)
        for view in () if tenant is None else tenant.views:
            view.touch()

    def _gap(self) -> None:
        self.tally.gaps += self._subscribed
        self._subscribed = True
        for view in self._views.values():
            view.touch()
