"""The counter store in memory: the Redis store's twin, held to the same contract tests. For tests; nothing lasts."""

from collections.abc import Sequence

from service.store.ports.auditing import MARK_MS, AuditAsk, AuditedTicket, AuditRead, Repair
from tests.fakes.memory_counters import MemoryCounters
from tests.fakes.memory_kept import add_changes, stored_counter


class MemoryStore(MemoryCounters):
    """All of it, and audits: see `auditing.AuditedStore` for what each method promises."""

    async def audit(self, ask: AuditAsk) -> AuditRead | None:
        """See `auditing.AuditedStore` for what this and the next ones promise."""
        bucket = self.bucket(ask.tenant)
        found, state, mark = (
            self._tenants.get(ask.tenant),
            self._states[bucket],
            (ask.tenant, ask.generation, ask.holder),
        )
        current = self._audited(bucket)
        if found is None or found.stored.generation != ask.generation:
            return None
        if current != (("", "", "") if ask.begin else mark):
            return None
        state.audited, state.audited_until_ms = mark, self._clock_ms() + MARK_MS
        if ask.begin:
            state.noted.clear()
        noted = [state.noted.pop() for _ in range(min(ask.limit, len(state.noted)))]
        cursor, page = (
            (0, ())
            if ask.cursor is None
            else await MemoryCounters.scan(self, ask.tenant, ask.generation, ask.cursor, ask.limit)
        )
        tickets = []
        for name in (*noted, *ask.tickets, *page):
            stored = found.tickets.get(name)
            due_at = state.due.get((ask.tenant, ask.generation, name))
            tickets.append(AuditedTicket(name, None if stored is None else stored.ticket_state, due_at))
        counters = {name: stored_counter(found, name) for name in ask.counters}
        return AuditRead(
            self._run,
            found.stored.record_version,
            found.version,
            state.timers,
            state.first_due(),
            cursor,
            len(state.noted),
            tickets,
            None if state.noted else counters,
        )

    async def end_audit(self, tenant: str, generation: str, holder: str) -> None:
        bucket = self.bucket(tenant)
        if self._audited(bucket) == (tenant, generation, holder):
            self._states[bucket].audited = ("", "", "")
            self._states[bucket].noted.clear()

    async def repair(self, repair: Repair) -> int | None:
        found = self._tenants.get(repair.tenant)
        mark = (repair.tenant, repair.generation, repair.holder)
        if found is None or found.version != repair.version or self._audited(self.bucket(repair.tenant)) != mark:
            return None
        for name, right in repair.counters.items():
            found.counters.pop(name, None)
            found.timed.pop(name, None)
            add_changes(found.counters, {name: right.masks} if right.masks else {})
            add_changes(found.timed, {name: right.time_buckets} if right.time_buckets else {})
        found.version += 1
        return found.version

    async def counter_names(self, cursor: int, limit: int) -> tuple[int, Sequence[tuple[str, str, str]]]:
        return 0, [
            (tenant, found.stored.generation, name)
            for tenant, found in self._tenants.items()
            for name in found.counters.keys() | found.timed.keys()
        ]
