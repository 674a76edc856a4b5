"""One stream: what its client is sent, and when it ends. Its single slot is the view's state: always the newest.

Nothing runs for a stream that has nothing to say: its request waits for the client to leave, the view hands it what
is new, and one timer has it look when a heartbeat or an end may be due. Only what has to wait for a slow client gets
a task, and computes what it sends once the client takes it.
"""

import asyncio
import random
from collections.abc import Callable

import msgspec
import structlog
from starlette.types import Receive, Scope, Send

from service.clock import Clock
from service.domain.tickets.ticket import Instant
from service.web.http.replies import Headers
from service.web.push.frames import Frame
from service.web.push.live_view import LiveView
from service.web.push.stream_limiter import StreamOwner
from service.web.push.tally import StreamTally
from service.web.push.view_state import ViewState
from service.web.server.link import Link, link_of

log = structlog.stdlib.get_logger(__name__)

HEARTBEAT_S = 15.0
"""Silence after which the client is told that there is nothing new, by the contract."""

OLDEST_S = 600.0
"""A stream is ended and comes back somewhere else about this often: so load moves to new processes."""

RETRY_MS = (1_000, 5_000)
"""How long a client waits before it comes back: drawn anew for every stream."""

HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx and its kin would hold blocks back
]


class Terms(msgspec.Struct, frozen=True):
    """What one stream is bound to."""

    expires_at: Instant
    """The token's end, without leeway."""
    last_event_id: str
    """What the client shows already; "" for nothing."""
    kind: str
    """How the caller was known."""
    headers: Headers
    """More headers of its answer."""


def retry_ms() -> int:
    """A time to wait before coming back, with jitter."""
    return random.randint(*RETRY_MS)


class Stream:
    """An ASGI application for one request, good for one call. Until then it says nothing."""

    __slots__ = (
        "_beats_at", "_busy", "_clock", "_close", "_drains_at", "_link", "_rotates_at", "_send", "_sender", "_shown",
        "_stay", "_tally", "_tasks", "_timer", "owner", "reason", "terms", "view",
    )  # fmt: skip

    def __init__(
        self,
        view: LiveView,
        state: ViewState,
        terms: Terms,
        owner: StreamOwner,
        clock: Clock,
        tasks: asyncio.TaskGroup,
        tally: StreamTally,
        close: Callable[["Stream"], None],
    ) -> None:
        now = asyncio.get_running_loop().time()
        self.view = view
        self._shown = state
        self.terms = terms
        self.owner = owner
        self._clock = clock
        self._tasks = tasks
        self._tally = tally
        self._close = close
        self._rotates_at = now + OLDEST_S * random.uniform(0.8, 1.0)
        self._drains_at = float("inf")
        self._beats_at = now + HEARTBEAT_S
        self._busy = True  # until its first block is sent
        self._stay: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sender: asyncio.Task[None] | None = None
        self._send: Send
        self._link: Link | None = None
        self.reason = ""
        """Why it has ended; "" while it goes on."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._send, self._link = send, link_of(scope)
            if self._link is not None:
                self._link.hold_nothing()
            async with asyncio.timeout(None) as self._stay:
                await send({"type": "http.response.start", "status": 200, "headers": HEADERS + self.terms.headers})
                await self._deliver(self._first())
                scope["headers"].clear()  # a token needn't be kept as long as the stream, nor its memory
                self._begin()
                while (await receive())["type"] != "http.disconnect":
                    pass  # what a client still sends is of no interest
        except TimeoutError:  # it was told `bye`, or could not be told anything
            pass
        finally:
            self._stay = None
            self.stop()
            self._close(self)

    def _begin(self) -> None:
        self._busy = False
        self._set_timer()
        if self.view.state is not self._shown or self.view.ended:  # meanwhile
            self.wake()

    async def push(self) -> None:
        """Sends what is due, unless that would wait for the client: then in a task of its own."""
        if self._busy:
            return  # whoever sends looks again afterwards
        if self._link is None or self._link.is_full:
            self.wake()
            return
        due = self._due()
        if due is not None:
            self._busy = True
            try:
                await self._deliver(due)
            finally:
                self._busy = False

    def wake(self) -> None:
        """Has it look by itself, as soon as its client takes something."""
        if not self._busy:
            self._busy = True
            self._sender = self._tasks.create_task(self._catch_up(), name="stream")

    def drain(self, at: float) -> None:
        """It ends at this time of the loop, at the latest."""
        self._drains_at = at
        if self._timer is not None:
            self._timer.cancel()
        self._set_timer()

    def stop(self) -> None:
        """Nothing is sent any more."""
        self.reason = self.reason or "gone"
        self._busy = True
        for running in (self._timer, self._sender):
            if running is not None:
                running.cancel()

    async def _catch_up(self) -> None:
        try:
            while not self.reason:
                if self._link is not None:
                    await self._link.writable()  # before it is known what is newest
                due = self._due()
                if due is None:
                    break
                await self._deliver(due)
        except Exception:  # the last resort: what is wrong with one stream must not end the others
            log.exception("a stream failed", tenant=self.view.key.tenant_id)
            self._end()
        self._sender = None
        self._busy = bool(self.reason)
        if self._timer is None and not self.reason:
            self._set_timer()

    def _first(self) -> Frame:
        """All there is, or that it is what the client shows already."""
        shown, known = self._shown, self.terms.last_event_id
        is_current = known == shown.identity
        self._tally.opened["current" if is_current else "snapshot" if known else "fresh"] += 1
        return shown.current(retry_ms()) if is_current else shown.snapshot(retry_ms())

    def _due(self) -> Frame | None:
        """What is to be sent now, if anything."""
        now = asyncio.get_running_loop().time()
        shown, state = self._shown, self.view.state or self._shown
        change = state.since(shown)
        self.reason = self._ending(now)
        if self.reason:
            # The id of what the client shows: with a newer one its next stream would say `current` to old numbers.
            return (state if change is None else shown).bye(self.reason, retry_ms())
        self._shown = state  # also where it looks the same: the newest id saves a snapshot after a reconnect
        if change is not None:
            self._tally.conflated += max(0, state.revision - shown.revision - 1)
            self._tally.latency.note(now - self.view.heard_at)
            return change
        return state.heartbeat() if now >= self._beats_at else None

    def _ending(self, now: float) -> str:
        """Why the stream has to end now; "" while it needn't."""
        if self._left_s() <= 0:
            return "expired"
        if self.view.ended:
            return self.view.ended
        if now >= self._drains_at:
            return "drain"
        return "rotation" if now >= self._rotates_at else ""

    async def _deliver(self, due: Frame) -> None:
        last = bool(self.reason)
        try:
            await self._send({"type": "http.response.body", "body": due.encoded, "more_body": not last})
        except OSError:  # how a server says that the client is gone (ASGI 2.4)
            self._end()
            return
        self._tally.frames[due.event] += 1
        self._beats_at = asyncio.get_running_loop().time() + HEARTBEAT_S
        if last:
            self._end()

    def _end(self) -> None:
        """Has the request come to its end."""
        self.reason = self.reason or "gone"
        if self._stay is not None:
            self._stay.reschedule(asyncio.get_running_loop().time())

    def _set_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(self._looks_at(loop.time()), self._on_time)

    def _on_time(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._looks_at(now) > now:  # something was sent meanwhile, and no end is due
            self._set_timer()
        else:
            self._timer = None
            self.wake()

    def _looks_at(self, now: float) -> float:
        return min(self._beats_at, self._rotates_at, self._drains_at, now + self._left_s())

    def _left_s(self) -> float:
        return (self.terms.expires_at - self._clock.now_us()) / 1_000_000
