"""One stream: what its client is sent, and when it ends. Sends the newest state only, however slow the client is."""

import asyncio
import random
from collections.abc import AsyncIterator

import msgspec

from service.clock import Clock
from service.domain.ticket import Instant
from service.web.push.hub import Hub, Seat

HEARTBEAT_S = 15.0
"""Silence after which the client is told that there is nothing new, by the contract."""

OLDEST_S = 600.0
"""A stream is ended and comes back somewhere else about this often: so load moves to new processes."""

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
    shown = seat.state
    yield shown.current(retry_ms()) if terms.last_event_id == shown.identity else shown.snapshot(retry_ms())
    beats_at = loop.time() + HEARTBEAT_S
    while True:
        seat.woken.clear()
        state = seat.view.state or shown
        block = state.since(shown)
        left_s = (terms.expires_at - clock.now_us()) / 1_000_000
        reason = _ending(seat, hub, left_s, rotates_at - loop.time())
        if reason:
            break
        shown = state  # also where it looks the same: the newest id saves a snapshot after a reconnect
        if block is None and loop.time() >= beats_at:
            block = shown.heartbeat()
        if block is not None:
            yield block
            beats_at = loop.time() + HEARTBEAT_S
        else:
            await _woken(seat, min(beats_at, rotates_at) - loop.time(), left_s)
    if reason == "drain":
        await asyncio.sleep(random.uniform(0, hub.drain_spread_s))
    # The id of what the client shows: with a newer one its next stream would say `current` to old numbers.
    yield (state if block is None else shown).bye(reason, retry_ms())


async def _woken(seat: Seat, *at_most_s: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, min(at_most_s))):
            await seat.woken.wait()
    except TimeoutError:
        pass


def _ending(seat: Seat, hub: Hub, left_s: float, rotation_s: float) -> str:
    """Why the stream has to end now; "" while it needn't."""
    if left_s <= 0:
        return "expired"
    if seat.view.ended:
        return seat.view.ended
    if hub.draining:
        return "drain"
    return "rotation" if rotation_s <= 0 else ""
