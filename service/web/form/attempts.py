"""Slows guessing down: attempts that failed make the next ones wait, per address and per name. Never sees a secret.

Only failures count, so nobody who has the right secret from the start is ever slowed. Who had it lately from the same
address is let past what others have brought upon that name, or upon that address.
"""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager

import msgspec

from service.clock import Clock
from service.domain.ticket import Instant
from service.lru import Lru
from service.web.errors import rate_limited
from service.web.limits import CALLERS_REMEMBERED, MINUTE_US

FREE = 10
"""Failures that cost nothing: a person who mistypes, a plug-in with an old secret until somebody looks."""

LONGEST_HOLD_S = 5.0
"""A held attempt takes up a connection, and clients give up after 10 s or so; who would wait longer is told to."""

AT_ONCE = 10
"""Attempts of one address that are judged at the same time: with more, a thousand guesses would all be the first."""


class Attempt(msgspec.Struct):
    """One try of a name's secret from an address; whoever judges it says whether it `failed`."""

    failed: bool = False


class Slowing:
    """How long to wait per key. The generic cell rate algorithm, as for the limits; but only failures are counted."""

    def __init__(self, per_min: int) -> None:
        self._interval_us = MINUTE_US / per_min if per_min else 0.0
        self._most_us = MINUTE_US + FREE * self._interval_us
        self._paid_at: Lru[Hashable, float] = Lru(CALLERS_REMEMBERED)

    def wait_s(self, key: Hashable, now: Instant) -> float:
        """Seconds until another failure would be within the rate; 0 for one that is."""
        return max(self._paid(key, now) - now - (FREE - 1) * self._interval_us, 0.0) / 1_000_000

    def failed(self, key: Hashable, now: Instant) -> None:
        """Counts one."""
        self._paid_at.put(key, max(self._paid(key, now), now) + self._interval_us)

    def _paid(self, key: Hashable, now: Instant) -> float:
        """When all failures so far are made up for."""
        paid_at = self._paid_at.get(key) or 0.0
        if paid_at > now + self._most_us:  # the clock was set back, which must not lock anybody out
            paid_at = now + self._most_us
            self._paid_at.put(key, paid_at)
        return paid_at


class Attempts:
    """All attempts at one process. With `per_min` 0 nobody is slowed."""

    def __init__(self, per_min: int, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._limited = per_min > 0
        self._slowing = Slowing(per_min)
        self._turns: Lru[str, asyncio.Semaphore] = Lru(CALLERS_REMEMBERED)
        self._proven: Lru[tuple[str, bytes], bool] = Lru(CALLERS_REMEMBERED)

    @asynccontextmanager
    async def attempt(self, address: str, name: str) -> AsyncIterator[Attempt]:
        """Judge it inside. Raises Refused when there were so many failures that it would have to wait too long."""
        # Names are the caller's to choose: long ones must not take up room, nor stand here in the clear.
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        attempt = Attempt()
        if not self._limited:
            yield attempt
        elif self._proven.get((address, digest)):
            yield attempt
            if attempt.failed:
                self._proven.drop((address, digest))
                self._count(address, digest)
        else:
            async with self._turn(address, digest):
                yield attempt
                if attempt.failed:
                    self._count(address, digest)
                else:
                    self._proven.put((address, digest), True)

    @asynccontextmanager
    async def _turn(self, address: str, digest: bytes) -> AsyncIterator[None]:
        await self._sleep(self._hold_s(address, digest))
        turns = self._turns.get(address)
        if turns is None:
            turns = asyncio.Semaphore(AT_ONCE)
            self._turns.put(address, turns)
        async with turns:
            # Those that came together were all told to go on at once; by now some of them may have failed.
            self._hold_s(address, digest)
            yield

    def _hold_s(self, address: str, digest: bytes) -> float:
        now = self._clock.now_us()
        hold_s = max(self._slowing.wait_s(address, now), self._slowing.wait_s(digest, now))
        if hold_s > LONGEST_HOLD_S:
            raise rate_limited(math.ceil(hold_s))
        return hold_s

    def _count(self, address: str, digest: bytes) -> None:
        now = self._clock.now_us()
        self._slowing.failed(address, now)
        self._slowing.failed(digest, now)
