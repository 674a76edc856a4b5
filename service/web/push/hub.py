"""Holds all live views of this process, by view key and by tenant. Subscribes to hints once, never per view."""

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
    """The answer instead of a stream: 200 with a `bye`, since any other status ends an `EventSource` for good."""

    def __init__(self, bye: Frame, headers: Headers) -> None:
        self._bye = bye
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS + self._headers})
        await send({"type": "http.response.body", "body": self._bye.encoded})


Listen = Callable[[Callable[[str], None], Callable[[], None]], Coroutine[Any, Any, None]]
"""Follows hints for ever. Calls the first function with each changed tenant, the second after a gap in the hints."""


DRAIN_SPREAD_S = 2.0
"""A process that ends spreads the `bye` of its streams over this time, so that clients don't all reconnect at once."""

MAX_CONCURRENT_READS = 64
"""Concurrent reads for one tenant: one round trip carries as many cheaply, in some milliseconds of the store's time."""


class _TenantViews:
    """The views of one tenant, and the semaphore that bounds their concurrent reads."""

    def __init__(self) -> None:
        self.views: set[LiveView] = set()
        self.reads = asyncio.Semaphore(MAX_CONCURRENT_READS)


class Hub:
    """Opens streams, and keeps each view while a stream shows it. Views are refreshed inside `running()`."""

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
        """Follows hints and refreshes views while the context is open."""
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
        """The number of open streams. A request that still waits for its first state isn't counted."""
        return len(self._streams)

    def drain(self) -> None:
        """Ends every stream with a `bye` within `drain_spread_s`, because the process is about to end."""
        self.draining = True
        now = asyncio.get_running_loop().time()
        for stream in self._streams:
            stream.drain(now + random.uniform(0, self.drain_spread_s))

    @asynccontextmanager
    async def view(self, key: ViewKey) -> AsyncIterator[tuple[LiveView, ViewState]]:
        """Yields the view and its current state. The view is kept while the context is open or a stream shows it.

        Registers the view before it reads, so that no change is missed. Raises what `CountQueries.answer` raises.
        """
        view = self._views.get(key)
        if view is None or view.ended:
            tenant = self._by_tenant.setdefault(key.tenant_id, _TenantViews())
            view = self._views[key] = LiveView(key, self._queries, tenant.reads, self.tally)
            tenant.views.add(view)
        view.pending += 1
        try:
            yield view, await view.initial_state()
        finally:
            view.pending -= 1
            self._drop_if_unused(view)

    def open(self, view: LiveView, state: ViewState, terms: Terms, owner: StreamOwner) -> Stream | None:
        """Returns a stream of the view, an ASGI application; None while draining and beyond the owner's limits."""
        if self._group is None:
            raise RuntimeError("open() needs a running hub: use it inside running()")
        if self.draining or not self._limiter.acquire(owner):
            return None
        view.start(self._group)
        stream = Stream(view, state, terms, owner, self._clock, self._group, self.tally, self._close)
        view.streams[stream] = None
        self._streams.add(stream)
        self.tally.open[terms.kind] += 1
        return stream

    def turned_away(self, state: ViewState, terms: Terms) -> TurnedAway:
        """Returns the answer to send when `open` returned None."""
        reason = "drain" if self.draining else "overload"
        self.tally.turned_away[reason] += 1
        return TurnedAway(state.turned_away(reason, terms.last_event_id, retry_ms()), terms.headers)

    def _close(self, stream: Stream) -> None:
        self._streams.discard(stream)
        del stream.view.streams[stream]
        self._limiter.release(stream.owner)
        self.tally.open[stream.terms.kind] -= 1
        self.tally.closed[stream.reason] += 1
        self._drop_if_unused(stream.view)

    def _drop_if_unused(self, view: LiveView) -> None:
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
