"""Answers viewers from a counter store: compiled views, plans, one snapshot an answer. Never writes to the store.

What is remembered may make an answer from the store fail, never succeed wrongly: a snapshot says when the view it was
asked with is no longer the current one. A refusal has no snapshot behind it, so it is never based on what is
remembered alone: the tenant is read again first.
"""

import asyncio
from weakref import WeakValueDictionary

import msgspec

from service import timezones
from service.clock import Clock
from service.domain.catalogue.catalogue import Realm
from service.domain.counting.local_days import LocalDay
from service.domain.tenants.view import SUMMARY_KEYS, CountRequest, InvalidIds, TenantView, Warming
from service.domain.tickets.ticket import Instant
from service.lru import Lru
from service.queries.column_demands import ColumnDemands, DemandLimits
from service.queries.confirmation import check, confirmed
from service.store.ports.catalogue import StoredTenant
from service.store.ports.errors import StoreUnavailable
from service.store.ports.reading import CounterReader, Snapshot, query_for
from service.turns import in_turns

TENANTS_BYTES = 128 << 20
"""Compiled views kept: some milliseconds to compile one again."""

_TENANT_BYTES, _ID_BYTES = 5_000, 3_000
"""Of a view as such, and of each status, priority or filter in it with its entry. Measured, roughly."""

REALMS_REMEMBERED = 1_000
"""Realms kept: a key set is a few KB."""

REALM_AGE_US = 1_000_000
"""Longest use of a realm as read: a withdrawn key is refused after a second, for one small read a second."""

ATTEMPTS = 5
"""Reloads for one answer: each needs a catalogue change within a millisecond, so a fifth means something is wrong."""


PATIENCE_S = 2.0
"""How long an answer waits for what is still being filled, long enough for the columns of a small tenant."""

POLL_INTERVAL_S = 0.1
"""Between looks whether it is filled."""


class UnknownTenant(Exception):
    """No such tenant is in force in that realm."""


class Answer(msgspec.Struct, frozen=True):
    """All that one answer says: every number is of `snapshot`, and of one `now`."""

    view: TenantView
    record_version: str
    """Names the state of the tenant's record that `view` was compiled from."""
    counts: dict[str, int]
    summary: dict[str, int]
    snapshot: Snapshot
    now: Instant
    day: LocalDay
    """Of `now`, where the viewer is: what calendar words were taken to mean."""


class CachedTenant(msgspec.Struct, frozen=True):
    """A tenant as last read from the store."""

    record_version: str
    generation: str
    view: TenantView

    @property
    def weight(self) -> int:
        """Bytes, roughly."""
        return _TENANT_BYTES + _ID_BYTES * self.view.size


class Readiness(msgspec.Struct, frozen=True):
    """What an answer needs: a store that answers, and a catalogue that was read to its end once."""

    store: bool
    catalogue: bool


class CountQueries:
    """The one way from a checked caller to numbers. Its methods raise StoreUnavailable when the store is away."""

    def __init__(
        self,
        reader: CounterReader,
        clock: Clock,
        patience_s: float = PATIENCE_S,
        limits: DemandLimits | None = None,
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._patience_s = patience_s
        self._demands = ColumnDemands(reader, limits or DemandLimits())
        self._tenants: Lru[str, CachedTenant] = Lru(TENANTS_BYTES, lambda known: known.weight)
        self._compiling: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._realms: Lru[str, tuple[Realm, Instant]] = Lru(REALMS_REMEMBERED)

    async def realm(self, name: str) -> Realm | None:
        """The realm as it was within the last second; the same object while it doesn't change. Raises Warming."""
        known = self._realms.get(name)
        if known is not None and 0 <= self._clock.now_us() - known[1] < REALM_AGE_US:
            return known[0]
        return await self.newest_realm(name)

    async def newest_realm(self, name: str) -> Realm | None:
        """The realm as the store has it now; the same object as before where nothing changed.

        Raises Warming where the store can't tell yet that there is none.
        """
        read_at = self._clock.now_us()
        realm = await confirmed(lambda: self._reader.realm(name), self._reader.catalogue_read)
        if realm is None:
            self._realms.drop(name)
            return None
        known = self._realms.get(name)
        if known is not None and known[0] == realm:
            realm = known[0]
        self._realms.put(name, (realm, read_at))
        return realm

    async def view(self, tenant_id: str, realm: str) -> TenantView:
        """The tenant as last read. Raises UnknownTenant, which the store has confirmed."""
        known = self._tenants.get(tenant_id)
        if known is not None and known.view.settings.realm == realm:
            return known.view
        return await self.newest_view(tenant_id, realm)

    async def newest_view(self, tenant_id: str, realm: str) -> TenantView:
        """The tenant as the store has it now. Raises UnknownTenant."""
        return (await self._load(tenant_id, realm)).view

    async def answer(
        self, tenant_id: str, realm: str, count_request: CountRequest, zone: str = timezones.DEFAULT
    ) -> Answer:
        """Counts of every filter asked for and the summary, from one atomic read, on today's date in that zone.

        What is still being filled is waited for, some seconds at most. Raises UnknownTenant, InvalidIds, Warming (each
        confirmed by the store), OverBudget for what would need new columns, and StoreUnavailable.
        """
        known = self._tenants.get(tenant_id)
        if known is not None and known.view.settings.realm == realm:
            try:
                answer = await self._ask(known, tenant_id, count_request, zone)
            except (InvalidIds, Warming):
                answer = None  # perhaps no longer so
            if answer is not None:
                return answer
        return await self._patient_answer(tenant_id, realm, count_request, zone)

    async def _patient_answer(self, tenant_id: str, realm: str, count_request: CountRequest, zone: str) -> Answer:
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + self._patience_s
        wanting = False
        while True:
            try:
                return await self._newest_answer(tenant_id, realm, count_request, zone)
            except Warming as warming:
                if warming.demands and not wanting:
                    view, user = await self.view(tenant_id, realm), count_request.viewer.user
                    wanting = await self._demands.demand(tenant_id, view, user, warming.demands, self._clock.now_us())
                if warming.loading or loop.time() >= patient_until:
                    raise
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _newest_answer(self, tenant_id: str, realm: str, count_request: CountRequest, zone: str) -> Answer:
        for _ in range(ATTEMPTS):
            answer = await self._ask(await self._load(tenant_id, realm), tenant_id, count_request, zone)
            if answer is not None:
                return answer
        raise StoreUnavailable(f"the catalogue of tenant {tenant_id} changed {ATTEMPTS} times during one answer")

    async def ready(self) -> Readiness:
        """Whether answers can be given now. Raises nothing for a store that is away."""
        try:
            await self._reader.ping()
            return Readiness(store=True, catalogue=await self._reader.catalogue_read())
        except StoreUnavailable:
            return Readiness(store=False, catalogue=False)

    async def _load(self, tenant_id: str, realm: str) -> CachedTenant:
        known = await self.newest(tenant_id)
        if known.view.settings.realm != realm:
            raise UnknownTenant(tenant_id)
        return known

    async def remembered(self, tenant_id: str) -> CachedTenant:
        """The tenant as last read, whatever its realm: a credential names no realm. Raises UnknownTenant."""
        return self._tenants.get(tenant_id) or await self.newest(tenant_id)

    async def newest(self, tenant_id: str) -> CachedTenant:
        """The tenant as the store has it now, whatever its realm. Raises UnknownTenant, and Warming."""
        stored = await self.stored(tenant_id)
        if stored is None:
            self._tenants.drop(tenant_id)
            raise UnknownTenant(tenant_id)
        async with self._compiling.setdefault(tenant_id, asyncio.Lock()):  # one compiles, and all others wait for it
            known = self._tenants.get(tenant_id)
            if known is None or (known.record_version, known.generation) != (stored.record_version, stored.generation):
                same_record = known is not None and known.record_version == stored.record_version
                view = (
                    known.view
                    if known is not None and same_record
                    else await in_turns(TenantView.building(stored.record))
                )
                known = CachedTenant(stored.record_version, stored.generation, view)
                self._tenants.put(tenant_id, known)
            return known

    async def stored(self, tenant_id: str) -> StoredTenant | None:
        """None only for a tenant that isn't in force. Raises Warming."""
        reader = self._reader
        return await confirmed(lambda: reader.tenant(tenant_id), lambda: reader.tenants_read(tenant_id))

    async def check_catalogue(self) -> None:
        """Raises Warming while the store has never had the whole catalogue."""
        await check(self._reader.catalogue_read)

    async def _ask(self, known: CachedTenant, tenant_id: str, count_request: CountRequest, zone: str) -> Answer | None:
        """None when the tenant's record is no longer the one that was compiled."""
        now = self._clock.now_us()
        day = timezones.day_at(now, zone)
        plan = await in_turns(known.view.planning(count_request, day))
        snapshot = await self._reader.snapshot(query_for(tenant_id, known.record_version, known.generation, plan, day))
        if snapshot is None:
            return None
        await self._demands.note(tenant_id, known.view, count_request, zone, now)
        sums = plan.evaluate(snapshot.columns, snapshot.counters, snapshot.timed)
        places = len(count_request.filter_ids)
        return Answer(
            known.view,
            known.record_version,
            dict(zip(count_request.filter_ids, sums[:places], strict=True)),
            dict(zip(SUMMARY_KEYS, sums[places:], strict=True)),
            snapshot,
            now,
            day,
        )
