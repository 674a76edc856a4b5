"""One event stream: what it sends, and when it ends. Never queues frames: it sends the view's newest state.

An idle stream costs no task: its request waits for the client to leave, the view pushes changes to it, and one timer
fires when a heartbeat or the end may be due. Only a stream with a slow client gets a sender task, which computes the
frame when the client can take it.
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
"""A stream that has sent nothing for so long sends a heartbeat."""

MAX_AGE_S = 600.0
"""A stream ends with `rotation` at 80 to 100 % of this age, so that reconnecting clients spread to new processes."""

RETRY_MS = (1_000, 5_000)
"""The range of the pause before a client reconnects, drawn anew each time."""

HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx and others would buffer events
]


class Terms(msgspec.Struct, frozen=True):
    """What the request fixes for one stream."""

    expires_at: Instant
    """The token's `exp`, without leeway."""
    last_event_id: str
    """The id of the state that the client shows already; "" for none."""
    kind: str
    """How the caller was authenticated: `token` or `ticket`."""
    headers: Headers
    """Further headers of the response."""


def retry_ms() -> int:
    """Returns a random reconnect delay from RETRY_MS, in milliseconds."""
    return random.randint(*RETRY_MS)


class Stream:
    """An ASGI application that serves one request: call it once."""

    __slots__ = (
        "_busy", "_clock", "_close", "_drains_at", "_heartbeat_at", "_lifetime", "_link", "_rotates_at", "_send",
        "_sender", "_shown", "_tally", "_tasks", "_timer", "owner", "reason", "terms", "view",
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
        self._rotates_at = now + MAX_AGE_S * random.uniform(0.8, 1.0)
        self._drains_at = float("inf")
        self._heartbeat_at = now + HEARTBEAT_S
        self._busy = True  # until the first event is sent
        self._lifetime: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sender: asyncio.Task[None] | None = None
        self._send: Send
        self._link: Link | None = None
        self.reason = ""
        """Why the stream has ended; "" while it is open."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._send, self._link = send, link_of(scope)
            if self._link is not None:
                self._link.hold_nothing()
            async with asyncio.timeout(None) as self._lifetime:
                await send({"type": "http.response.start", "status": 200, "headers": HEADERS + self.terms.headers})
                await self._deliver(self._first())
                scope["headers"].clear()  # keeps neither the token nor its memory for the life of the stream
                self._begin()
                while (await receive())["type"] != "http.disconnect":
                    pass  # ignores what the client still sends
        except TimeoutError:  # `_end` was called: after the `bye`, or when sending failed
            pass
        finally:
            self._lifetime = None
            self.stop()
            self._close(self)

    def _begin(self) -> None:
        self._busy = False
        self._set_timer()
        if self.view.state is not self._shown or self.view.ended:  # changed while the first event was sent
            self.wake()

    async def push(self) -> None:
        """Sends the frame that is due. Leaves it to a sender task if the client is slow."""
        if self._busy:
            return  # the sender task computes the next frame after the current one
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
        """Starts a sender task, which sends as soon as the client can take a frame."""
        if not self._busy:
            self._busy = True
            self._sender = self._tasks.create_task(self._catch_up(), name="stream")

    def drain(self, at: float) -> None:
        """Schedules the end of the stream for this loop time."""
        self._drains_at = at
        if self._timer is not None:
            self._timer.cancel()
        self._set_timer()

    def stop(self) -> None:
        """Stops sending at once, without a `bye`."""
        self.reason = self.reason or "gone"
        self._busy = True
        for running in (self._timer, self._sender):
            if running is not None:
                running.cancel()

    async def _catch_up(self) -> None:
        try:
            while not self.reason:
                if self._link is not None:
                    await self._link.writable()  # first, so that the frame is computed from the newest state
                due = self._due()
                if due is None:
                    break
                await self._deliver(due)
        except Exception:  # last resort: a fault in one stream must not end the others
            log.exception("a stream failed", tenant=self.view.key.tenant_id)
            self._end()
        self._sender = None
        self._busy = bool(self.reason)
        if self._timer is None and not self.reason:
            self._set_timer()

    def _first(self) -> Frame:
        """Returns `current` if the client shows this very state already, else a `snapshot`."""
        shown, last_event_id = self._shown, self.terms.last_event_id
        is_current = last_event_id == shown.identity
        self._tally.opened["current" if is_current else "snapshot" if last_event_id else "fresh"] += 1
        return shown.current(retry_ms()) if is_current else shown.snapshot(retry_ms())

    def _due(self) -> Frame | None:
        """Returns the frame to send now: a `bye`, a change or a heartbeat; None when nothing is due."""
        now = asyncio.get_running_loop().time()
        shown, state = self._shown, self.view.state or self._shown
        change = state.since(shown)
        self.reason = self._end_reason(now)
        if self.reason:
            # The id of the state that the client shows: with a newer id, its next stream would begin with `current`
            # while the client shows old numbers.
            return (state if change is None else shown).bye(self.reason, retry_ms())
        self._shown = state  # even without a change: a client with the newest id needs no snapshot after a reconnect
        if change is not None:
            self._tally.conflated += max(0, state.revision - shown.revision - 1)
            self._tally.latency.note(now - self.view.changed_at)
            return change
        return state.heartbeat() if now >= self._heartbeat_at else None

    def _end_reason(self, now: float) -> str:
        """Returns the reason to end now; "" for none."""
        if self._token_left_s() <= 0:
            return "expired"
        if self.view.ended:
            return self.view.ended
        if now >= self._drains_at:
            return "drain"
        return "rotation" if now >= self._rotates_at else ""

    async def _deliver(self, frame: Frame) -> None:
        last = bool(self.reason)
        try:
            await self._send({"type": "http.response.body", "body": frame.encoded, "more_body": not last})
        except OSError:  # the client is gone (ASGI 2.4)
            self._end()
            return
        self._tally.frames[frame.event] += 1
        self._heartbeat_at = asyncio.get_running_loop().time() + HEARTBEAT_S
        if last:
            self._end()

    def _end(self) -> None:
        """Ends the request by letting its time-out expire now."""
        self.reason = self.reason or "gone"
        if self._lifetime is not None:
            self._lifetime.reschedule(asyncio.get_running_loop().time())

    def _set_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(self._next_due_at(loop.time()), self._on_timer)

    def _on_timer(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._next_due_at(now) > now:  # a frame was sent since the timer was set, so the heartbeat is due later
            self._set_timer()
        else:
            self._timer = None
            self.wake()

    def _next_due_at(self, now: float) -> float:
        return min(self._heartbeat_at, self._rotates_at, self._drains_at, now + self._token_left_s())

    def _token_left_s(self) -> float:
        return (self.terms.expires_at - self._clock.now_us()) / 1_000_000
