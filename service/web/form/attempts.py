"""Slows guessing down: attempts that failed make the next ones wait. Never sees a secret.

Failures are counted in the store, so that workers and processes share them, and only failures: nobody who has the
right secret from the start is slowed. They count for a name from one network first, and for the network at all names.
Failures of one name from everywhere together never lock a name: beyond their rate, a network that has not failed at it
for a minute still has one attempt. So guesses from many networks are few, and the owner at a new address gets in.
Who had the right secret lately from the same network is let past all of it.

Without the store nothing is judged: credentials are in it too.
"""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from service.lru import Lru
from service.store.ports.budgets import Extension, Mark, MarkStore
from service.web.auth.limits import CALLERS_REMEMBERED
from service.web.http.errors import rate_limited

FREE = 10
"""Failures that cost nothing: a person who mistypes, a plug-in with an old secret until somebody looks."""

LONGEST_HOLD_S = 5.0
"""A held attempt takes up a connection, and clients give up after 10 s or so; who would wait longer is told to."""

AT_ONCE = 10
"""Attempts of one network that a process judges at the same time: with more, a thousand guesses would be the first."""

PRESSED_S = 60.0
"""The pause between attempts of one network at a name that many other networks fail at. 1,000 networks together get
1,000 guesses a minute."""

PROVEN_S = 86_400.0
"""How long it is remembered where the right secret came from: a panel calls every few minutes, an admin daily."""

_PROVEN, _FAILED, _LATELY = "form-proven", "form-failed", "form-failed-lately"


class Attempt(msgspec.Struct):
    """One try of a name's secret from a network; whoever judges it says whether it `failed`."""

    failed: bool = False


class _Standing(msgspec.Struct, frozen=True):
    """What is known before an attempt is judged, in seconds."""

    proven_s: float
    hold_s: float


class Attempts:
    """`per_min` failures a minute of a network at a name go on without a hold; with 0 nobody is slowed."""

    def __init__(
        self, store: MarkStore, per_min: int, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._interval_s = 60 / per_min if per_min else 0.0
        self._most_s = PRESSED_S + FREE * self._interval_s
        self._turns: Lru[str, asyncio.Semaphore] = Lru(CALLERS_REMEMBERED)

    @asynccontextmanager
    async def attempt(self, network: str, name: str) -> AsyncIterator[Attempt]:
        """Judge it inside. Raises Refused when there were so many failures that it would have to wait too long."""
        # Names are the caller's to choose: long ones must not take up room, nor stand anywhere in the clear.
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        attempt = Attempt()
        if not self._interval_s:
            yield attempt
            return
        standing = await self._standing(network, digest)
        if standing.proven_s:
            yield attempt
        else:
            await self._sleep(_bounded(standing))
            async with self._turn(network):
                # Those that came together were all told to go on at once; by now some of them may have failed.
                standing = await self._standing(network, digest)
                _bounded(standing)
                yield attempt
        if attempt.failed:
            await self._note_failure(network, digest)
        elif standing.proven_s < PROVEN_S / 2:
            await self._store.extend_marks(digest, (Extension(Mark(_PROVEN, network), PROVEN_S, PROVEN_S),))

    def _turn(self, network: str) -> asyncio.Semaphore:
        turns = self._turns.get(network)
        if turns is None:
            turns = asyncio.Semaphore(AT_ONCE)
            self._turns.put(network, turns)
        return turns

    async def _standing(self, network: str, digest: str) -> _Standing:
        (proven_s,), (own_s, anywhere_s, lately_s), (network_s,) = await asyncio.gather(
            self._store.marks_left(digest, (Mark(_PROVEN, network),)),
            self._owed_s(digest, (Mark(_FAILED, network), Mark(_FAILED), Mark(_LATELY, network))),
            self._owed_s(network, (Mark(_FAILED),)),
        )
        elsewhere_s = self._beyond_free_s(anywhere_s - own_s)
        holds_s = (self._beyond_free_s(own_s), self._beyond_free_s(network_s), lately_s if elsewhere_s else 0.0)
        return _Standing(proven_s, max(holds_s))

    async def _owed_s(self, scope: str, marks: Sequence[Mark]) -> Sequence[float]:
        """For how long failures count, each at most as long as it ever may: the store's clock may be set back."""
        left = await self._store.marks_left(scope, marks)
        if max(left) > self._most_s:
            too_long = [mark for mark, left_s in zip(marks, left, strict=True) if left_s > self._most_s]
            await self._store.extend_marks(scope, [Extension(mark, 0, self._most_s) for mark in too_long])
        return [min(left_s, self._most_s) for left_s in left]

    def _beyond_free_s(self, owed_s: float) -> float:
        """Seconds until another failure would be within the rate."""
        return max(owed_s - (FREE - 1) * self._interval_s, 0.0)

    async def _note_failure(self, network: str, digest: str) -> None:
        at_name = (
            Extension(Mark(_FAILED, network), self._interval_s, self._most_s),
            Extension(Mark(_FAILED), self._interval_s, self._most_s),
            Extension(Mark(_LATELY, network), PRESSED_S, PRESSED_S),
        )
        await asyncio.gather(
            self._store.extend_marks(digest, at_name),
            self._store.extend_marks(network, (Extension(Mark(_FAILED), self._interval_s, self._most_s),)),
            self._store.drop_mark(digest, Mark(_PROVEN, network)),
        )


def _bounded(standing: _Standing) -> float:
    """The hold. Raises Refused for one that is too long."""
    if standing.hold_s > LONGEST_HOLD_S:
        raise rate_limited(math.ceil(standing.hold_s), reason="too many failed attempts")
    return standing.hold_s
