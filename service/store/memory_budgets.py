"""Token buckets and quotas of the memory store: the twin of those in Redis. For tests; nothing lasts."""

from collections.abc import Callable, Sequence

from service.store.budgets import Charge, Claim


class MemoryBudgets:
    """See `budgets.BudgetStore` for what each method promises. `clock_ms` stands for the server's own clock."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._full_at_ms: dict[tuple[str, str, str], float] = {}
        self._claimed: dict[tuple[str, str, str], dict[str, int]] = {}

    async def spend(self, scope: str, charges: Sequence[Charge]) -> float:
        now, wait_ms, spent = self._clock_ms(), 0.0, {}
        for rate, holder, tokens in charges:
            if rate.per_min > 0:
                token_ms = 60_000 / rate.per_min
                capacity_ms, place = rate.burst * token_ms, (scope, rate.name, holder)
                before = min(self._full_at_ms.get(place, 0), now + capacity_ms)
                spent[place] = max(before, now) + min(tokens, rate.burst) * token_ms
                wait_ms = max(wait_ms, spent[place] - now - capacity_ms)
        if wait_ms > 0:
            return wait_ms / 1000
        self._full_at_ms |= spent
        return 0.0

    async def claim(self, scope: str, claims: Sequence[Claim], claimant: str, ttl_ms: int) -> bool:
        now, places = self._clock_ms(), []
        for quota, holder in claims:
            if quota.most > 0:
                held = self._claimed.setdefault((scope, quota.name, holder), {})
                for gone in [name for name, until_ms in held.items() if until_ms <= now]:
                    del held[gone]
                if claimant not in held and len(held) >= quota.most:
                    return False
                places.append(held)
        for held in places:
            held[claimant] = now + ttl_ms
        return True

    async def release(self, scope: str, claims: Sequence[Claim], claimant: str) -> None:
        for quota, holder in claims:
            self._claimed.get((scope, quota.name, holder), {}).pop(claimant, None)
