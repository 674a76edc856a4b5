"""Tickets, counters, timers and tenants' records of the memory store: what one step reads and writes."""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence

from service.domain.counting.contributions import column_changes
from service.domain.counting.scopes import EVERYONE
from service.domain.tickets.ticket import Instant
from service.store.keys import bucket_of
from service.store.ports.catalogue import Bucket, StoredTenant
from service.store.ports.reading import CountQuery, Snapshot, TicketPage
from service.store.ports.steps import (
    Applied,
    Batch,
    Behind,
    BucketState,
    Conflict,
    DueConflict,
    DueTicket,
    Loaded,
    OtherTopic,
    Outcome,
    PartitionProgress,
    Runs,
    StaleCatalogue,
    StoredTicket,
    TenantBatch,
)
from service.store.ports.unknown_ids import MOST_KEPT, UnknownId, newest_first
from service.store.replies import epoch_in
from tests.fakes.memory_asides import MemoryAsides
from tests.fakes.memory_kept import BucketKept, Kept, add_changes, windowed


class MemoryCounters(MemoryAsides):
    """See `counter_store.CounterStore` for what each method promises. `clock_ms` stands for the server's own clock."""

    def __init__(self, buckets: int = 4, clock_ms: Callable[[], int] = lambda: 0) -> None:
        super().__init__(clock_ms)
        self.buckets = buckets
        self._run = secrets.token_hex(8)
        self._states = {bucket: BucketKept() for bucket in range(buckets)}
        self._tenants: dict[str, Kept] = {}
        self._orphans: set[tuple[str, str]] = set()

    def server(self, bucket: Bucket) -> str:
        return ""

    def bucket(self, tenant: str) -> Bucket:
        return bucket_of(tenant, self.buckets)

    # -- reading ------------------------------------------------------------------------------------------------------

    async def ping(self) -> None:
        return None

    async def run(self) -> str:
        return self._run

    async def runs(self) -> Runs:
        return Runs((self._run,) * self.buckets, self._run)

    async def tenant(self, tenant: str) -> StoredTenant | None:
        found = self._tenants.get(tenant)
        return None if found is None else found.stored

    async def tenants(self, bucket: Bucket) -> Sequence[str]:
        return sorted(name for name in self._tenants if self.bucket(name) == bucket)

    async def ticket_count(self, tenant: str, generation: str) -> int:
        found = self._tenants.get(tenant)
        return len(found.tickets) if found is not None and found.stored.generation == generation else 0

    async def ticket_states(self, tenant: str, generation: str, cursor: int, limit: int) -> TicketPage:
        following, names = await self.scan(tenant, generation, cursor, limit)
        read = [(name, self._tenants[tenant].tickets[name].ticket_state) for name in names]
        return TicketPage(
            self._run, following, ((name, ticket_state) for name, ticket_state in read if ticket_state is not None)
        )

    async def snapshot(self, query: CountQuery) -> Snapshot | None:
        found = self._tenants.get(query.tenant)
        if found is None or found.stored.record_version != query.record_version:
            return None
        state = self._states[self.bucket(query.tenant)]
        everyone = column_changes(found.counters.get(EVERYONE, {}).get("", {}))
        return Snapshot(
            epoch=epoch_in(self._run, state.epoch, query.generation),
            version=found.version,
            positions=dict(sorted(state.positions.items())),
            lags_ms={partition: max(0, self._clock_ms() - fresh) for partition, fresh in state.fresh_ms.items()},
            timers=state.timers,
            as_of=found.as_of,
            columns=tuple(everyone.get(column, 0) for column in query.columns),
            counters=tuple(
                {part: column_changes(masks) for part, masks in found.counters.get(name, {}).items()}
                for name in query.counters
            ),
            timed=tuple(windowed(found.timed, query.timed_counters, window) for window in query.windows),
        )

    async def states(self, buckets: Sequence[Bucket]) -> Mapping[Bucket, BucketState]:
        return {bucket: self._state(bucket) for bucket in buckets}

    def _state(self, bucket: Bucket) -> BucketState:
        state = self._states[bucket]
        return BucketState(state.topic, dict(state.positions), state.timers)

    async def due(self, bucket: Bucket, now: Instant, limit: int) -> Sequence[DueTicket]:
        state = self._states[bucket]
        found = [DueTicket(*place, due_at) for place, due_at in state.due.items() if due_at <= now]
        if not found:
            state.timers = max(state.timers or now, now)
        return sorted(found, key=lambda one: (one.due_at, one))[:limit]

    async def forget_due(self, bucket: Bucket, tickets: Sequence[DueTicket]) -> None:
        for one in tickets:
            self._states[bucket].due.pop((one.tenant, one.generation, one.ticket), None)

    # -- the step -----------------------------------------------------------------------------------------------------

    async def load(
        self, bucket: Bucket, tickets: Mapping[str, Sequence[str]], generations: Mapping[str, str]
    ) -> Loaded:
        never = StoredTicket(b"", None)
        record_versions, ticket_states = {}, {}
        for name, ids in tickets.items():
            found = self._tenants.get(name)
            record_versions[name] = "" if found is None else found.stored.record_version
            for ticket in ids:
                ticket_states[name, ticket] = never if found is None else found.tickets.get(ticket, never)
        return Loaded(self._state(bucket), record_versions, ticket_states, self._states[bucket].first_due())

    async def apply(self, batch: Batch) -> Outcome:
        return self._refusal(batch) or self._write(batch)

    def _refusal(self, batch: Batch) -> Outcome | None:
        state = self._states[batch.bucket]
        if state.topic not in ("", batch.topic):
            return OtherTopic(state.topic)
        behind = {
            partition: state.positions.get(partition, 0)
            for partition, progress in batch.progress.items()
            if progress.known is not None and state.positions.get(partition, -1) < progress.known
        }
        if behind:
            return Behind(behind)
        stale = tuple(tenant.tenant for tenant in batch.tenants if not self._compiled_against(tenant))
        if stale:
            return StaleCatalogue(stale)
        conflicts = tuple(
            (tenant.tenant, write.ticket)
            for tenant in batch.tenants
            for write in tenant.writes
            if self._revision(tenant.tenant, write.ticket) != write.revision
        )
        if conflicts:
            return Conflict(conflicts)
        return DueConflict() if self._is_due_conflict(batch) else None

    def _is_due_conflict(self, batch: Batch) -> bool:
        dues = [write.due_at for tenant in batch.tenants for write in tenant.writes if write.due_at is not None]
        timers = self._states[batch.bucket].timers
        if timers is not None and batch.now < timers and any(due_at <= timers for due_at in dues):
            return True
        written = any(tenant.writes for tenant in batch.tenants)
        return written and not batch.partial_due_batch and bool(self._others_due(batch))

    def _others_due(self, batch: Batch) -> set[tuple[str, str, str]]:
        """Tickets due at the batch's now that it doesn't write."""
        state = self._states[batch.bucket]
        written = {
            (tenant.tenant, tenant.generation, write.ticket) for tenant in batch.tenants for write in tenant.writes
        }
        return {place for place, due_at in state.due.items() if due_at <= batch.now} - written

    def _compiled_against(self, tenant: TenantBatch) -> bool:
        found = self._tenants.get(tenant.tenant)
        return found is not None and (found.stored.record_version, found.stored.generation) == (
            tenant.record_version,
            tenant.generation,
        )

    def _revision(self, tenant: str, ticket: str) -> bytes:
        stored = self._tenants[tenant].tickets.get(ticket)
        return b"" if stored is None else stored.revision

    def _write(self, batch: Batch) -> Applied:
        revision = secrets.token_bytes(8)
        drained = not self._others_due(batch)
        due = self._states[batch.bucket].due
        versions: dict[str, int] = {}
        negative = 0
        for tenant in batch.tenants:
            found = self._tenants[tenant.tenant]
            if self._audited(batch.bucket)[:2] == (tenant.tenant, tenant.generation):
                self._states[batch.bucket].noted |= {write.ticket for write in tenant.writes}
            for write in tenant.writes:
                if write.ticket_state is None:
                    found.tickets.pop(write.ticket, None)
                else:
                    found.tickets[write.ticket] = StoredTicket(revision, write.ticket_state)
                place = (tenant.tenant, tenant.generation, write.ticket)
                if write.due_at is not None:
                    due[place] = write.due_at
                else:
                    due.pop(place, None)
            negative += add_changes(found.counters, tenant.deltas) + add_changes(found.timed, tenant.time_buckets)
            if tenant.as_of is not None:
                found.as_of = max(found.as_of or tenant.as_of, tenant.as_of)
            if tenant.deltas or tenant.time_buckets:
                found.version += 1
                versions[tenant.tenant] = found.version
        self._raise(batch, drained)
        return Applied(versions, negative)

    def _raise(self, batch: Batch, drained: bool) -> None:
        state = self._states[batch.bucket]
        state.topic = batch.topic
        for partition, progress in batch.progress.items():
            state.positions[partition] = max(state.positions.get(partition, 0), progress.position)
            if progress.lag_ms is not None:
                fresh = self._clock_ms() - progress.lag_ms
                state.fresh_ms[partition] = max(state.fresh_ms.get(partition, fresh), fresh)
        if drained:
            state.timers = max(state.timers or batch.now, batch.now)

    async def new_epoch(self, bucket: Bucket) -> None:
        self._states[bucket].epoch = secrets.token_hex(8)

    async def adopt_topic(self, bucket: Bucket, topic: str) -> None:
        state = self._states[bucket]
        self._states[bucket] = BucketKept(topic=topic, timers=state.timers, due=state.due)

    async def scan(self, tenant: str, generation: str, cursor: int, limit: int) -> tuple[int, Sequence[str]]:
        found = self._tenants.get(tenant)
        ids = sorted(found.tickets) if found is not None and found.stored.generation == generation else []
        following = cursor + limit
        return (following if following < len(ids) else 0), ids[cursor:following]

    def _audited(self, bucket: Bucket) -> tuple[str, str, str]:
        """The audit under way."""
        state = self._states[bucket]
        return state.audited if state.audited_until_ms > self._clock_ms() else ("", "", "")

    # -- the catalogue ------------------------------------------------------------------------------------------------

    async def put_tenant(self, tenant: str, expected: str | None, new: StoredTenant) -> bool:
        found = self._tenants.get(tenant)
        if (None if found is None else found.stored.record_version) != expected:
            return False
        if found is None:
            self._tenants[tenant] = Kept(new, version=1)
        else:
            found.stored = new
            found.version += 1
        return True

    async def drop_tenant(self, tenant: str, expected: str) -> bool:
        found = self._tenants.get(tenant)
        if found is None or found.stored.record_version != expected:
            return False
        self._orphans.add((tenant, found.stored.generation))
        del self._tenants[tenant]
        self._asked.pop(tenant, None)
        self._sweeps.pop(tenant, None)
        self._unknown.pop(tenant, None)
        return True

    async def note_unknown_ids(self, tenant: str, found: Sequence[UnknownId]) -> None:
        if tenant in self._tenants:
            kept = self._unknown.setdefault(tenant, {})
            kept |= {(one.field, one.id): one._replace(at=one.at // 1000 * 1000) for one in found}
            self._unknown[tenant] = {(one.field, one.id): one for one in newest_first(kept.values())[:MOST_KEPT]}

    async def unknown_ids(self, tenant: str) -> Sequence[UnknownId]:
        return newest_first(self._unknown.get(tenant, {}).values())

    async def orphans(self) -> Sequence[tuple[str, str]]:
        return sorted(self._orphans)

    async def collect(self, tenant: str, generation: str, limit: int) -> bool:
        due = self._states[self.bucket(tenant)].due
        for place in [place for place in due if place[:2] == (tenant, generation)]:
            del due[place]
        return True

    async def collect_counters(self, orphans: Collection[tuple[str, str]], cursor: int, limit: int) -> int:
        return 0  # they went with the generation

    async def forget_orphans(self, orphans: Collection[tuple[str, str]]) -> None:
        self._orphans -= set(orphans)

    # -- for the next generation of a tenant, which is a store of its own until it takes the serving one's place ------

    def kept(self, tenant: str) -> Kept | None:
        """All that is kept of a tenant; None where there is no such tenant."""
        return self._tenants.get(tenant)

    def replace(self, tenant: str, kept: Kept) -> None:
        """Puts this in the place of what is kept of a tenant, and orphans that."""
        self._orphans.add((tenant, self._tenants[tenant].stored.generation))
        self._tenants[tenant] = kept

    def orphan(self, tenant: str, generation: str) -> None:
        """This generation serves nobody."""
        self._orphans.add((tenant, generation))

    def take_due(self, bucket: Bucket, since: Instant, limit: int) -> dict[tuple[str, str, str], Instant]:
        """Takes those that are due at `since` or later away."""
        due = self._states[bucket].due
        taken = [place for place, due_at in sorted(due.items(), key=lambda one: one[1]) if due_at >= since][:limit]
        return {place: due.pop(place) for place in taken}

    def raise_positions(self, bucket: Bucket, progress: Mapping[int, PartitionProgress]) -> None:
        """Has everything below these positions applied."""
        state = self._states[bucket]
        state.positions.update({partition: one.position for partition, one in progress.items()})

    def add_due(self, bucket: Bucket, due: Mapping[tuple[str, str, str], Instant]) -> None:
        """Has these due as well."""
        self._states[bucket].due.update(due)
