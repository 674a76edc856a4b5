"""Implements token buckets, quotas and marks in Redis, each call on one bucket's keys. Never decides a limit."""

import asyncio
import math
from collections.abc import Sequence

from service.store import keys
from service.store.client.pipelined_connection import Argument
from service.store.client.store_client import StoreClient
from service.store.ports.budgets import Charge, Claim, Extension, Mark
from service.store.script import Script

SPEND = Script("reading/spend", writes=True)
CLAIM = Script("reading/claim", writes=True)
EXTEND_MARKS = Script("reading/extend_marks", writes=True)

_MINUTE_US = 60_000_000


class RedisBudgets:
    """Implements `budgets.BudgetStore` and `budgets.MarkStore`, whose docstrings are the contract."""

    def __init__(self, client: StoreClient, buckets: int) -> None:
        self._client = client
        self.buckets = buckets

    async def spend(self, scope: str, charges: Sequence[Charge]) -> float:
        places, arguments = [], []
        for rate, holder, tokens in charges:
            if rate.per_min > 0:
                places.append(keys.rate(self._bucket(scope), scope, rate.name, holder))
                token_us = _MINUTE_US / rate.per_min
                arguments += [round(rate.burst * token_us), round(min(tokens, rate.burst) * token_us)]
        wait_us = await SPEND.run(self._client, places, arguments) if places else 0
        return int(wait_us) / 1e6

    async def claim(self, scope: str, claims: Sequence[Claim], claimant: str, ttl_ms: int) -> bool:
        limited = [claim for claim in claims if claim.quota.most > 0]
        if not limited:
            return True
        arguments: list[Argument] = [claimant, ttl_ms, *(claim.quota.most for claim in limited)]
        return bool(await CLAIM.run(self._client, self._places(scope, limited), arguments))

    async def release(self, scope: str, claims: Sequence[Claim], claimant: str) -> None:
        for place in self._places(scope, [claim for claim in claims if claim.quota.most > 0]):
            await self._client.call("ZREM", place, claimant)

    async def marks_left(self, scope: str, marks: Sequence[Mark]) -> Sequence[float]:
        left_ms = await asyncio.gather(*(self._client.call("PTTL", self._mark(scope, mark)) for mark in marks))
        return [max(int(each), 0) / 1000 for each in left_ms]

    async def extend_marks(self, scope: str, extensions: Sequence[Extension]) -> None:
        times = [math.ceil(seconds * 1000) for _, by_s, most_s in extensions for seconds in (by_s, most_s)]
        await EXTEND_MARKS.run(self._client, [self._mark(scope, each.mark) for each in extensions], times)

    async def drop_mark(self, scope: str, mark: Mark) -> None:
        await self._client.call("DEL", self._mark(scope, mark))

    def _mark(self, scope: str, mark: Mark) -> str:
        return keys.mark(self._bucket(scope), scope, mark.kind, mark.holder)

    def _places(self, scope: str, claims: Sequence[Claim]) -> list[str]:
        return [keys.quota(self._bucket(scope), scope, quota.name, holder) for quota, holder in claims]

    def _bucket(self, scope: str) -> int:
        return keys.bucket_of(scope, self.buckets)
