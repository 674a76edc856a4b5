"""Token buckets and quotas in Redis, each call one script over one bucket's keys. Decides nothing about limits."""

from collections.abc import Sequence

from service.store import keys
from service.store.budgets import Charge, Claim
from service.store.script import Script
from service.store.wire import Argument
from service.store.wires import AnyWire

SPEND = Script("spend", writes=True)
CLAIM = Script("claim", writes=True)

_MINUTE_US = 60_000_000


class RedisBudgets:
    """See `budgets.BudgetStore` for what each method promises."""

    def __init__(self, wire: AnyWire, buckets: int) -> None:
        self._wire = wire
        self.buckets = buckets

    async def spend(self, scope: str, charges: Sequence[Charge]) -> float:
        places, arguments = [], []
        for rate, holder, tokens in charges:
            if rate.per_min > 0:
                places.append(self._place(scope, f"rate:{rate.name}", holder))
                token_us = _MINUTE_US / rate.per_min
                arguments += [round(rate.burst * token_us), round(min(tokens, rate.burst) * token_us)]
        wait_us = await SPEND.run(self._wire, places, arguments) if places else 0
        return int(wait_us) / 1e6

    async def claim(self, scope: str, claims: Sequence[Claim], claimant: str, ttl_ms: int) -> bool:
        limited = [claim for claim in claims if claim.quota.most > 0]
        if not limited:
            return True
        arguments: list[Argument] = [claimant, ttl_ms, *(claim.quota.most for claim in limited)]
        return bool(await CLAIM.run(self._wire, self._places(scope, limited), arguments))

    async def release(self, scope: str, claims: Sequence[Claim], claimant: str) -> None:
        for place in self._places(scope, [claim for claim in claims if claim.quota.most > 0]):
            await self._wire.call("ZREM", place, claimant)

    def _places(self, scope: str, claims: Sequence[Claim]) -> list[str]:
        return [self._place(scope, f"quota:{quota.name}", holder) for quota, holder in claims]

    def _place(self, scope: str, name: str, holder: str) -> str:
        return keys.budget(keys.bucket_of(scope, self.buckets), scope, name, holder)
