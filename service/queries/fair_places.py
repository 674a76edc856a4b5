"""Limits concurrent long work in one process, so that no user or tenant takes all places. Never runs the work."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple


class Crowded(Exception):
    """The queue is full: try again soon."""


class CrowdedByYou(Exception):
    """This user, or this tenant, already waits for as many places as it may."""


class _Waiter(NamedTuple):
    tenant: str
    user: str
    turn: asyncio.Future[None]


class FairPlaces:
    """At most `places` at once: one per user, half of them per tenant. Waiting is first come, first served among those
    within these limits. A user may wait for one place while having one; a tenant may fill half of the queue.

    Example with 4 places and a queue of 16: tenant A runs 2 previews of two users and queues up to 8 more. The next
    place goes to the oldest waiter of another tenant, even when A's waiters are older."""

    def __init__(self, places: int, queue: int) -> None:
        self._places = places
        self._queue = queue
        self._waiting: list[_Waiter] = []
        self._running: Counter[str] = Counter()
        self._users: set[tuple[str, str]] = set()

    @asynccontextmanager
    async def place(self, tenant: str, user: str) -> AsyncIterator[None]:
        """Waits for a place and holds it. Raises Crowded or CrowdedByYou instead of waiting beyond a limit."""
        self._check(tenant, user)
        waiter = _Waiter(tenant, user, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._hand_out()
        try:
            await waiter.turn
            yield
        finally:
            self._give_back(waiter)

    def _check(self, tenant: str, user: str) -> None:
        same_tenant = [waiter for waiter in self._waiting if waiter.tenant == tenant]
        if any(waiter.user == user for waiter in same_tenant) or len(same_tenant) >= max(1, self._queue // 2):
            raise CrowdedByYou
        if len(self._waiting) >= self._queue:
            raise Crowded

    def _hand_out(self) -> None:
        for waiter in [*self._waiting]:
            if self._running.total() >= self._places:
                return
            owner = (waiter.tenant, waiter.user)
            if waiter.turn.cancelled():  # its task removes it from the queue when it runs
                continue
            if owner not in self._users and self._running[waiter.tenant] < max(1, self._places // 2):
                self._waiting.remove(waiter)
                self._running[waiter.tenant] += 1
                self._users.add(owner)
                waiter.turn.set_result(None)

    def _give_back(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:  # cancelled before it got a place
            self._waiting.remove(waiter)
            return
        self._running[waiter.tenant] -= 1
        self._users.discard((waiter.tenant, waiter.user))
        self._hand_out()
