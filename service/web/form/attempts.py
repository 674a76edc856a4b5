"""Slows guessing down: failed attempts delay the next ones. Never sees a secret.

Failures are counted in the store, for all workers and processes together. Successes don't count, so a caller with the
right secret from the start is never slowed. There are three limits:

- failures of a network at a name, and failures of a network at all names: beyond the rate, an attempt is held;
- failures of all other networks at a name: beyond the rate, each network has one attempt at it per PRESSED_S. So there
  are few guesses from many networks, and the owner gets in from a new address: nobody can lock a name.

A network with a recent success at a name passes all limits. Without the store there are no attempts: the credentials
are in the store too.
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
"""Failures without a hold: a person who mistypes, a plug-in with an old secret until its admin notices."""

LONGEST_HOLD_S = 5.0
"""A held attempt occupies a connection, and clients give up after about 10 s. A longer hold is refused with 429."""

AT_ONCE = 10
"""Concurrent attempts of one network in a process. Without this bound, a thousand guesses could all be checked before
the first failure is counted."""

PRESSED_S = 60.0
"""The pause between attempts of one network at a name at which many other networks fail. So 1,000 networks have 1,000
guesses a minute."""

PROVEN_S = 86_400.0
"""How long a network's success at a name is remembered: a panel calls every few minutes, an admin daily."""

_PROVEN, _FAILED, _LATELY = "form-proven", "form-failed", "form-failed-lately"


class Attempt(msgspec.Struct):
    """One check of a name's secret. The caller sets `failed` inside the context."""

    failed: bool = False


class _Limits(msgspec.Struct, frozen=True):
    """The limits of an attempt according to the store, in seconds."""

    proven_s: float
    """For how long the network's last success at the name is still remembered; 0 without one."""
    hold_s: float
    """For how long the attempt has to wait."""


class Attempts:
    """Holds attempts beyond FREE failures and `per_min` more a minute; with `per_min` 0 it holds none."""

    def __init__(
        self, store: MarkStore, per_min: int, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._interval_s = 60 / per_min if per_min else 0.0
        self._most_s = PRESSED_S + FREE * self._interval_s
        self._concurrency: Lru[str, asyncio.Semaphore] = Lru(CALLERS_REMEMBERED)

    @asynccontextmanager
    async def attempt(self, network: str, name: str) -> AsyncIterator[Attempt]:
        """Waits for the hold, then yields: check the secret inside the context. Raises Refused for too long a hold."""
        # Callers choose the names: a digest bounds their size, and keeps them out of the store's keys.
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        attempt = Attempt()
        if not self._interval_s:
            yield attempt
            return
        limits = await self._limits(network, digest)
        if limits.proven_s:
            yield attempt
        else:
            await self._sleep(_checked_hold_s(limits))
            async with self._semaphore(network):
                # Concurrent attempts all saw the same limits at first. By now some of them may have failed.
                limits = await self._limits(network, digest)
                _checked_hold_s(limits)
                yield attempt
        if attempt.failed:
            await self._note_failure(network, digest)
        elif limits.proven_s < PROVEN_S / 2:
            await self._store.extend_marks(digest, (Extension(Mark(_PROVEN, network), PROVEN_S, PROVEN_S),))

    def _semaphore(self, network: str) -> asyncio.Semaphore:
        semaphore = self._concurrency.get(network)
        if semaphore is None:
            semaphore = asyncio.Semaphore(AT_ONCE)
            self._concurrency.put(network, semaphore)
        return semaphore

    async def _limits(self, network: str, digest: str) -> _Limits:
        (proven_s,), (own_s, anywhere_s, lately_s), (network_s,) = await asyncio.gather(
            self._store.marks_left(digest, (Mark(_PROVEN, network),)),
            self._marks_left_s(digest, (Mark(_FAILED, network), Mark(_FAILED), Mark(_LATELY, network))),
            self._marks_left_s(network, (Mark(_FAILED),)),
        )
        elsewhere_s = self._beyond_free_s(anywhere_s - own_s)
        holds_s = (self._beyond_free_s(own_s), self._beyond_free_s(network_s), lately_s if elsewhere_s else 0.0)
        return _Limits(proven_s, max(holds_s))

    async def _marks_left_s(self, scope: str, marks: Sequence[Mark]) -> Sequence[float]:
        """Returns how long each mark is still kept, and shortens those beyond the limit: the store's clock may go back.

        Each failure extends its mark by the interval. Example: with 6 failures a minute (10 s each), a mark with 100 s
        left has the weight of 10 failures now.
        """
        left = await self._store.marks_left(scope, marks)
        if max(left) > self._most_s:
            too_long = [mark for mark, left_s in zip(marks, left, strict=True) if left_s > self._most_s]
            await self._store.extend_marks(scope, [Extension(mark, 0, self._most_s) for mark in too_long])
        return [min(left_s, self._most_s) for left_s in left]

    def _beyond_free_s(self, mark_left_s: float) -> float:
        """Returns the seconds until one more failure is within the rate."""
        return max(mark_left_s - (FREE - 1) * self._interval_s, 0.0)

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


def _checked_hold_s(limits: _Limits) -> float:
    """Returns the hold. Raises Refused when it is longer than LONGEST_HOLD_S."""
    if limits.hold_s > LONGEST_HOLD_S:
        raise rate_limited(math.ceil(limits.hold_s), reason="too many failed attempts")
    return limits.hold_s
