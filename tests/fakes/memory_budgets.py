"""Token buckets, quotas and marks of the memory store: the twin of those in Redis. For tests; nothing lasts."""

from collections.abc import Callable, Sequence

from service.store.ports.budgets import Charge, Claim, Extension, Mark


class MemoryBudgets:
    """See `budgets.BudgetStore` and `budgets.MarkStore` for what each method promises.

    `clock_ms` stands for the server's own clock; `budget_clock_ms` is the same unless somebody sets another one.
    """

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self.budget_clock_ms = clock_ms
        self._full_at_ms: dict[tuple[str, str, str], float] = {}
        self._claimed: dict[tuple[str, str, str], dict[str, int]] = {}
        self._marked_until_ms: dict[tuple[str, Mark], float] = {}

    async def spend(self, scope: str, charges: Sequence[Charge]) -> float:
        now, wait_ms, spent = self.budget_clock_ms(), 0.0, {}
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
        now, places = self.budget_clock_ms(), []
        for quota, holder in claims:
            if quota.most > 0:
                held = self._claimed.setdefault((scope, quota.name, holder), {})
                for gone in [name for name, until_ms in held.items() if until_ms <= now]:
                    del held[gone]
                if claimant not in held and len(held) >= quota.most:
                    return False
                places.append(held)
        for held in places:
            held[claimant] = max(held.get(claimant, 0), now + ttl_ms)
        return True

    async def release(self, scope: str, claims: Sequence[Claim], claimant: str) -> None:
        for quota, holder in claims:
            self._claimed.get((scope, quota.name, holder), {}).pop(claimant, None)

    async def marks_left(self, scope: str, marks: Sequence[Mark]) -> Sequence[float]:
        now = self._clock_ms()
        return [max(self._marked_until_ms.get((scope, mark), 0) - now, 0) / 1000 for mark in marks]

    async def extend_marks(self, scope: str, extensions: Sequence[Extension]) -> None:
        now = self._clock_ms()
        for mark, by_s, most_s in extensions:
            until_ms = max(self._marked_until_ms.get((scope, mark), 0), now) + by_s * 1000
            self._marked_until_ms[scope, mark] = min(until_ms, now + most_s * 1000)

    async def drop_mark(self, scope: str, mark: Mark) -> None:
        self._marked_until_ms.pop((scope, mark), None)
