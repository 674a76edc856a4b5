"""Places for long work in one process, handed out so that no user and no tenant takes all of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple


class Crowded(Exception):
    """The queue is full for everybody: come back soon."""


class CrowdedByYou(Exception):
    """This user, or this tenant, waits for enough places already."""


class _Waiter(NamedTuple):
    tenant: str
    user: str
    turn: asyncio.Future[None]


class FairPlaces:
    """At most `places` at once: one for a user, half for a tenant. Waiting is first come, first served among those who
    may have one; a user may wait for one more place, and a tenant takes at most half of the queue."""

    def __init__(self, places: int, queue: int) -> None:
        self._places = places
        self._queue = queue
        self._waiting: list[_Waiter] = []
        self._running: Counter[str] = Counter()
        self._users: set[tuple[str, str]] = set()

    @asynccontextmanager
    async def place(self, tenant: str, user: str) -> AsyncIterator[None]:
        """Waits for a place and has it. Raises Crowded and CrowdedByYou instead of waiting."""
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
        ours = [waiter for waiter in self._waiting if waiter.tenant == tenant]
        if any(waiter.user == user for waiter in ours) or len(ours) >= max(1, self._queue // 2):
            raise CrowdedByYou
        if len(self._waiting) >= self._queue:
            raise Crowded

    def _hand_out(self) -> None:
        for waiter in [*self._waiting]:
            if self._running.total() >= self._places:
                return
            who = (waiter.tenant, waiter.user)
            if waiter.turn.cancelled():  # its task hasn't heard of that yet, and takes it away itself
                continue
            if who not in self._users and self._running[waiter.tenant] < max(1, self._places // 2):
                self._waiting.remove(waiter)
                self._running[waiter.tenant] += 1
                self._users.add(who)
                waiter.turn.set_result(None)

    def _give_back(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:  # it was given up before its turn came
            self._waiting.remove(waiter)
            return
        self._running[waiter.tenant] -= 1
        self._users.discard((waiter.tenant, waiter.user))
        self._hand_out()
