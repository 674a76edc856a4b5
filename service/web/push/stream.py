"""One stream: what its client is sent, and when it ends. Sends the newest state only, however slow the client is."""

import asyncio
import random
from collections.abc import AsyncIterator

import msgspec

from service.clock import Clock
from service.domain.ticket import Instant
from service.web.push.hub import Hub, Seat
from service.web.push.state import State

HEARTBEAT_S = 15.0
"""Silence after which the client is told that there is nothing new, by the contract."""

OLDEST_S = 600.0
"""A stream is ended and comes back somewhere else about this often: so load moves to new processes."""

DRAIN_SPREAD_S = 2.0
"""Streams of a process that ends say so over this time, so that they don't all come back at once."""

RETRY_MS = (1_000, 5_000)
"""How long a client waits before it comes back: drawn anew for every stream."""


class Terms(msgspec.Struct, frozen=True):
    """What one stream is bound to."""

    expires_at: Instant
    """The token's end, without leeway."""
    last_event_id: str
    """What the client shows already; "" for nothing."""


def retry_ms() -> int:
    """A time to wait before coming back, with jitter."""
    return random.randint(*RETRY_MS)


async def blocks(seat: Seat, hub: Hub, terms: Terms, clock: Clock) -> AsyncIterator[bytes]:
    """Every block of one stream, ended by `bye`."""
    loop = asyncio.get_running_loop()
    rotates_at = loop.time() + OLDEST_S * random.uniform(0.8, 1.0)
    shown = _state(seat)
    yield shown.current(retry_ms()) if terms.last_event_id == shown.identity else shown.snapshot(retry_ms())
    said_at = loop.time()
    while True:
        left_s = (terms.expires_at - clock.now_us()) / 1_000_000
        reason = _ending(seat, hub, left_s, rotates_at - loop.time())
        if reason == "drain":
            await asyncio.sleep(random.uniform(0, DRAIN_SPREAD_S))
        if reason:
            yield _state(seat).bye(reason, retry_ms())
            return
        wait_s = min(said_at + HEARTBEAT_S - loop.time(), left_s, rotates_at - loop.time())
        try:
            async with asyncio.timeout(max(wait_s, 0)):
                await seat.woken.wait()
        except TimeoutError:
            pass
        seat.woken.clear()
        state = _state(seat)
        block = state.since(shown)
        if block is None and loop.time() >= said_at + HEARTBEAT_S:
            block = state.heartbeat()
        if block is not None:
            yield block
            said_at = loop.time()
            shown = state
        elif state.identity != shown.identity:
            shown = state  # the same to look at; the next step starts from here


def _ending(seat: Seat, hub: Hub, left_s: float, rotation_s: float) -> str:
    """Why the stream has to end now; "" while it needn't."""
    if left_s <= 0:
        return "expired"
    if seat.view.ended:
        return seat.view.ended
    if hub.draining:
        return "drain"
    return "rotation" if rotation_s <= 0 else ""


def _state(seat: Seat) -> State:
    state = seat.view.state
    if state is None:
        raise RuntimeError("a seat is given only in a view that has been read")
    return state
