"""Grants of the memory store: the twin of those in Redis. For tests; nothing lasts."""

from collections.abc import Callable
from itertools import count

import msgspec

from service.store.ports.grants import GRANT_BYTES, Grant, Lives
from tests.fakes.memory_budgets import MemoryBudgets


class _Kept(msgspec.Struct):
    grant: Grant
    ends_ms: int
    exchanged_ends_ms: int
    used: int


class MemoryGrants(MemoryBudgets):
    """See `grants.GrantStore` for what each method promises."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        super().__init__(clock_ms)
        self._grants: dict[str, dict[str, _Kept]] = {}
        self._uses = count()

    async def put_grant(self, owner: str, name: str, grant: Grant, lives: Lives, most: int) -> None:
        now = self._clock_ms()
        kept = _Kept(grant, now + lives.ttl_ms, now + lives.exchanged_ttl_ms, next(self._uses))
        mine = {name: kept}
        others = self._grants.get(owner, {}).items()
        for other, found in sorted(others, key=lambda item: item[1].used, reverse=True):
            contents = {each.grant.content for each in mine.values()} | {found.grant.content}
            fits = not most or (len(mine) < most and sum(map(len, contents)) <= most * GRANT_BYTES)
            if other != name and found.ends_ms > now and fits:
                mine[other] = found
        self._grants[owner] = mine

    async def grant(self, owner: str, name: str) -> Grant | None:
        found = self._grants.get(owner, {}).get(name)
        if found is None or found.ends_ms <= self._clock_ms():
            return None
        found.used = next(self._uses)
        return found.grant

    async def exchange_grant(self, owner: str, name: str, new_name: str) -> Grant | None:
        granted = await self.grant(owner, name)
        found = self._grants.get(owner, {}).pop(name, None)
        if granted is not None and found is not None:
            found.ends_ms = found.exchanged_ends_ms
            self._grants[owner][new_name] = found
        return granted
