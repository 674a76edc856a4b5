"""The counter store in memory: the Redis store's twin, held to the same contract tests. For tests; nothing lasts."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from service.domain.catalogue import Credential, Realm
from service.domain.contributions import column_changes
from service.domain.record import Ask
from service.domain.scopes import EVERYONE, parts_of
from service.domain.ticket import Instant, Moment
from service.store.apply_plan import timed_fields
from service.store.auditing import MARK_MS, AuditAsk, AuditedTicket, AuditRead, Repair, StoredCounter
from service.store.epoch import epoch_in
from service.store.keys import bucket_of
from service.store.port import (
    Applied,
    Batch,
    Behind,
    Bucket,
    BucketState,
    Conflict,
    CountQuery,
    DueTicket,
    Loaded,
    OtherTopic,
    Outcome,
    Position,
    Progress,
    Snapshot,
    StaleCatalogue,
    StoredTenant,
    StoredTicket,
    TenantBatch,
    TicketPage,
    Untimely,
    Window,
)

Counter = dict[str, dict[int, int]]
"""part -> mask -> tickets."""

TimedCounter = dict[str, dict[Moment, int]]
"""part -> column kept by time and quarter of an hour -> tickets."""

Kind = TypeVar("Kind")


@dataclass
class _Bucket:
    epoch: str = field(default_factory=lambda: secrets.token_hex(8))
    topic: str = ""
    positions: dict[int, Position] = field(default_factory=dict)
    fresh_ms: dict[int, int] = field(default_factory=dict)
    timers: Instant | None = None
    due: dict[tuple[str, str, str], Instant] = field(default_factory=dict)
    """By tenant, generation and ticket."""
    audited: tuple[str, str, str] = ("", "", "")
    """Tenant, generation and holder of the audit under way."""
    audited_until_ms: int = 0
    noted: set[str] = field(default_factory=set)

    def first_due(self) -> Instant | None:
        return min(self.due.values(), default=None)


@dataclass
class Kept:
    """All that is kept of one tenant."""

    stored: StoredTenant
    version: int = 0
    as_of: Instant | None = None
    tickets: dict[str, StoredTicket] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)
    timed: dict[str, TimedCounter] = field(default_factory=dict)


class MemoryStore:
    """See `port.CounterStore` for what each method promises. `clock_ms` stands for the server's own clock."""

    def __init__(self, buckets: int = 4, clock_ms: Callable[[], int] = lambda: 0) -> None:
        self.buckets = buckets
        self._clock_ms = clock_ms
        self._run = secrets.token_hex(8)
        self._states = {bucket: _Bucket() for bucket in range(buckets)}
        self._tenants: dict[str, Kept] = {}
        self._realms: dict[str, tuple[int, Realm | None]] = {}
        self._credentials: dict[str, tuple[int, Credential | None]] = {}
        self._leases: dict[Bucket, tuple[str, int]] = {}
        self._asked: dict[str, dict[Ask, Instant]] = {}
        self._wanting: set[str] = set()
        self._sweeps: dict[str, str] = {}
        self._grants: dict[str, tuple[bytes, int]] = {}
        self._orphans: set[tuple[str, str]] = set()
        self._judged: Position | None = None

    def bucket(self, tenant: str) -> Bucket:
        return bucket_of(tenant, self.buckets)

    # -- reading ------------------------------------------------------------------------------------------------------

    async def ping(self) -> None:
        return None

    async def run(self) -> str:
        return self._run

    async def realm(self, name: str) -> Realm | None:
        return self._realms.get(name, (0, None))[1]

    async def credential(self, identifier: str) -> Credential | None:
        return self._credentials.get(identifier, (0, None))[1]

    async def credentials_of(self, username: str) -> Sequence[Credential]:
        found = [credential for _, credential in self._credentials.values()]
        return [each for each in found if each is not None and each.admin.username == username]

    async def tenant(self, tenant: str) -> StoredTenant | None:
        found = self._tenants.get(tenant)
        return None if found is None else found.stored

    async def tenants(self, bucket: Bucket) -> Sequence[str]:
        return sorted(name for name in self._tenants if self.bucket(name) == bucket)

    async def catalogue_read(self) -> bool:
        return self._judged is not None

    async def ticket_count(self, tenant: str, generation: str) -> int:
        found = self._tenants.get(tenant)
        return len(found.tickets) if found is not None and found.stored.generation == generation else 0

    async def images(self, tenant: str, generation: str, cursor: int, limit: int) -> TicketPage:
        following, names = await self.scan(tenant, generation, cursor, limit)
        read = [(name, self._tenants[tenant].tickets[name].image) for name in names]
        return TicketPage(self._run, following, ((name, image) for name, image in read if image is not None))

    async def snapshot(self, query: CountQuery) -> Snapshot | None:
        found = self._tenants.get(query.tenant)
        if found is None or found.stored.token != query.token:
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
            timed=tuple(_windowed(found.timed, query.timed_counters, window) for window in query.windows),
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
        tokens, images = {}, {}
        for name, ids in tickets.items():
            found = self._tenants.get(name)
            tokens[name] = "" if found is None else found.stored.token
            for ticket in ids:
                images[name, ticket] = never if found is None else found.tickets.get(ticket, never)
        return Loaded(self._state(bucket), tokens, images, self._states[bucket].first_due())

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
        return Untimely() if self._is_untimely(batch) else None

    def _is_untimely(self, batch: Batch) -> bool:
        dues = [write.due_at for tenant in batch.tenants for write in tenant.writes if write.due_at is not None]
        timers = self._states[batch.bucket].timers
        if timers is not None and batch.now < timers and any(due_at <= timers for due_at in dues):
            return True
        written = any(tenant.writes for tenant in batch.tenants)
        return written and not batch.some_of_many and bool(self._others_due(batch))

    def _others_due(self, batch: Batch) -> set[tuple[str, str, str]]:
        """Tickets due at the batch's now that it doesn't write."""
        state = self._states[batch.bucket]
        written = {
            (tenant.tenant, tenant.generation, write.ticket) for tenant in batch.tenants for write in tenant.writes
        }
        return {place for place, due_at in state.due.items() if due_at <= batch.now} - written

    def _compiled_against(self, tenant: TenantBatch) -> bool:
        found = self._tenants.get(tenant.tenant)
        return found is not None and (found.stored.token, found.stored.generation) == (tenant.token, tenant.generation)

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
                if write.image is None:
                    found.tickets.pop(write.ticket, None)
                else:
                    found.tickets[write.ticket] = StoredTicket(revision, write.image)
                place = (tenant.tenant, tenant.generation, write.ticket)
                if write.due_at is not None:
                    due[place] = write.due_at
                else:
                    due.pop(place, None)
            negative += _add(found.counters, tenant.deltas) + _add(found.timed, tenant.moments)
            if tenant.as_of is not None:
                found.as_of = max(found.as_of or tenant.as_of, tenant.as_of)
            if tenant.deltas or tenant.moments:
                found.version += 1
                versions[tenant.tenant] = found.version
        self._raise(batch, drained)
        return Applied(versions, negative)

    def _raise(self, batch: Batch, drained: bool) -> None:
        state = self._states[batch.bucket]
        state.topic = batch.topic
        for partition, progress in batch.progress.items():
            state.positions[partition] = max(state.positions.get(partition, 0), progress.position)
            fresh = self._clock_ms() - progress.lag_ms
            state.fresh_ms[partition] = max(state.fresh_ms.get(partition, fresh), fresh)
        if drained:
            state.timers = max(state.timers or batch.now, batch.now)

    async def new_epoch(self, bucket: Bucket) -> None:
        self._states[bucket].epoch = secrets.token_hex(8)

    async def adopt_topic(self, bucket: Bucket, topic: str) -> None:
        state = self._states[bucket]
        self._states[bucket] = _Bucket(topic=topic, timers=state.timers, due=state.due)

    async def scan(self, tenant: str, generation: str, cursor: int, limit: int) -> tuple[int, Sequence[str]]:
        found = self._tenants.get(tenant)
        ids = sorted(found.tickets) if found is not None and found.stored.generation == generation else []
        following = cursor + limit
        return (following if following < len(ids) else 0), ids[cursor:following]

    async def lease(self, bucket: Bucket, holder: str, ttl_ms: int) -> bool:
        current, until_ms = self._leases.get(bucket, (holder, 0))
        if current != holder and until_ms > self._clock_ms():
            return False
        self._leases[bucket] = (holder, self._clock_ms() + ttl_ms)
        return True

    # -- audits -------------------------------------------------------------------------------------------------------

    def _audited(self, bucket: Bucket) -> tuple[str, str, str]:
        """The audit under way."""
        state = self._states[bucket]
        return state.audited if state.audited_until_ms > self._clock_ms() else ("", "", "")

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
            else await MemoryStore.scan(self, ask.tenant, ask.generation, ask.cursor, ask.limit)
        )
        tickets = []
        for name in (*noted, *ask.tickets, *page):
            stored = found.tickets.get(name)
            due_at = state.due.get((ask.tenant, ask.generation, name))
            tickets.append(AuditedTicket(name, None if stored is None else stored.image, due_at))
        counters = {name: _stored_counter(found, name) for name in ask.counters}
        return AuditRead(
            self._run,
            found.stored.token,
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
            _add(found.counters, {name: right.masks} if right.masks else {})
            _add(found.timed, {name: right.moments} if right.moments else {})
        found.version += 1
        return found.version

    async def counter_names(self, cursor: int, limit: int) -> tuple[int, Sequence[tuple[str, str, str]]]:
        return 0, [
            (tenant, found.stored.generation, name)
            for tenant, found in self._tenants.items()
            for name in found.counters.keys() | found.timed.keys()
        ]

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

    def raise_positions(self, bucket: Bucket, progress: Mapping[int, Progress]) -> None:
        """Has everything below these positions applied."""
        state = self._states[bucket]
        state.positions.update({partition: one.position for partition, one in progress.items()})

    def add_due(self, bucket: Bucket, due: Mapping[tuple[str, str, str], Instant]) -> None:
        """Has these due as well."""
        self._states[bucket].due.update(due)

    # -- grants -------------------------------------------------------------------------------------------------------

    async def put_grant(self, name: str, grant: bytes, ttl_ms: int) -> None:
        self._grants[name] = (grant, self._clock_ms() + ttl_ms)

    async def grant(self, name: str) -> bytes | None:
        found, until_ms = self._grants.get(name, (None, 0))
        return found if until_ms > self._clock_ms() else None

    async def take_grant(self, name: str) -> bytes | None:
        found = await self.grant(name)
        self._grants.pop(name, None)
        return found

    # -- wanted columns and sweeps ------------------------------------------------------------------------------------

    async def note_asks(self, tenant: str, asks: Iterable[Ask], now: Instant, *, missing: bool) -> None:
        asked = self._asked.setdefault(tenant, {})
        for ask in asks:
            asked[ask] = max(asked.get(ask, 0), now // 1000 * 1000)
        if missing:
            self._wanting.add(tenant)

    async def wanting(self) -> Sequence[str]:
        return sorted(self._wanting)

    async def settle_wanting(self, tenant: str) -> None:
        self._wanting.discard(tenant)

    async def asks(self, tenant: str) -> Mapping[Ask, Instant]:
        return dict(self._asked.get(tenant, {}))

    async def forget_asks(self, tenant: str, asks: Sequence[Ask]) -> None:
        for ask in asks:
            self._asked.get(tenant, {}).pop(ask, None)

    async def sweep_mark(self, tenant: str) -> str:
        return self._sweeps.get(tenant, "")

    async def set_sweep_mark(self, tenant: str, mark: str) -> None:
        self._sweeps[tenant] = mark

    # -- the catalogue ------------------------------------------------------------------------------------------------

    async def put_tenant(self, tenant: str, expected: str | None, new: StoredTenant) -> bool:
        found = self._tenants.get(tenant)
        if (None if found is None else found.stored.token) != expected:
            return False
        if found is None:
            self._tenants[tenant] = Kept(new, version=1)
        else:
            found.stored = new
            found.version += 1
        return True

    async def drop_tenant(self, tenant: str, expected: str) -> bool:
        found = self._tenants.get(tenant)
        if found is None or found.stored.token != expected:
            return False
        self._orphans.add((tenant, found.stored.generation))
        del self._tenants[tenant]
        self._asked.pop(tenant, None)
        self._sweeps.pop(tenant, None)
        return True

    async def orphans(self) -> Sequence[tuple[str, str]]:
        return sorted(self._orphans)

    async def collect(self, tenant: str, generation: str, limit: int) -> bool:
        self._orphans.discard((tenant, generation))
        due = self._states[self.bucket(tenant)].due
        for place in [place for place in due if place[:2] == (tenant, generation)]:
            del due[place]
        return True

    async def put_realm(self, name: str, offset: int, realm: Realm | None) -> None:
        if offset > self._realms.get(name, (-1, None))[0]:
            self._realms[name] = (offset, realm)

    async def put_credential(self, identifier: str, offset: int, credential: Credential | None) -> None:
        if offset > self._credentials.get(identifier, (-1, None))[0]:
            self._credentials[identifier] = (offset, credential)

    async def judged(self) -> Position:
        return self._judged or 0

    async def set_judged(self, position: Position) -> None:
        self._judged = max(self._judged or 0, position)


def _stored_counter(found: Kept, name: str) -> StoredCounter:
    columns = {part: column_changes(masks) for part, masks in found.counters.get(name, {}).items()}
    return StoredCounter(columns, timed_fields(name, found.timed.get(name, {})))


def _windowed(timed: Mapping[str, TimedCounter], counters: Sequence[str], window: Window) -> int:
    """What a window comes to."""
    parts = [part for index, name in window.scopes for part in parts_of(name, timed.get(counters[index], {}))]
    return sum(
        tickets
        for moments in parts
        for (column, quarter), tickets in moments.items()
        if column == window.column and any(first <= quarter < beyond for first, beyond in window.spans)
    )


def _add(
    counters: dict[str, dict[str, dict[Kind, int]]], changes: Mapping[str, Mapping[str, Mapping[Kind, int]]]
) -> int:
    """Adds changes; empty parts and counters are not kept. Returns how many numbers came out below zero."""
    negative = 0
    for name, parts in changes.items():
        counter = counters.setdefault(name, {})
        for part, kinds in parts.items():
            sums = counter.setdefault(part, {})
            for kind, change in kinds.items():
                sums[kind] = sums.get(kind, 0) + change
                negative += sums[kind] < 0
            counter[part] = {kind: tickets for kind, tickets in sums.items() if tickets}
        counters[name] = {part: sums for part, sums in counter.items() if sums}
        if not counters[name]:
            del counters[name]
    return negative
