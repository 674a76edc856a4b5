"""Answers viewers from a counter store: compiled views, plans, one snapshot per answer. Writes nothing but demands.

A cached view may be outdated, but never makes an answer wrong: the store refuses a snapshot for an outdated record
version. A refusal (unknown id, warming) involves no snapshot, so before refusing, the tenant is read again.
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
"""Size of the cache of compiled views: compiling one again takes some milliseconds."""

_TENANT_BYTES, _ID_BYTES = 5_000, 3_000
"""Measured size of an empty view, and of each status, priority or filter in it with its entry; roughly."""

REALMS_REMEMBERED = 1_000
"""Realms in the cache: a key set is a few KB."""

REALM_AGE_US = 1_000_000
"""Longest use of a cached realm: a withdrawn key is refused after a second, at the cost of one small read a second."""

ATTEMPTS = 5
"""Reloads for one answer: each takes a catalogue change within a millisecond, so a fifth one proves a fault."""


PATIENCE_S = 2.0
"""How long an answer waits for columns that are filling: long enough for a small tenant."""

POLL_INTERVAL_S = 0.1
"""Pause between checks whether the columns are filled."""


class UnknownTenant(Exception):
    """No such tenant is in force in that realm."""


class Answer(msgspec.Struct, frozen=True):
    """One answer: every number comes from `snapshot` and holds at the one instant `now`."""

    view: TenantView
    record_version: str
    """Version of the tenant's record that `view` was compiled from."""
    counts: dict[str, int]
    summary: dict[str, int]
    snapshot: Snapshot
    now: Instant
    day: LocalDay
    """The day of `now` in the viewer's time zone: what `today` and its kin mean in this answer."""


class CachedTenant(msgspec.Struct, frozen=True):
    """A tenant as last read from the store."""

    record_version: str
    generation: str
    view: TenantView

    @property
    def weight(self) -> int:
        """The approximate size in bytes."""
        return _TENANT_BYTES + _ID_BYTES * self.view.size


class Readiness(msgspec.Struct, frozen=True):
    """Whether answers are possible: the store answers, and the catalogue was read to its end once."""

    store: bool
    catalogue: bool


class CountQueries:
    """Answers count requests of authenticated callers. Every method raises StoreUnavailable when the store is away."""

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
        """Returns the realm, at most a second old; the same object while it doesn't change. Raises Warming."""
        known = self._realms.get(name)
        if known is not None and 0 <= self._clock.now_us() - known[1] < REALM_AGE_US:
            return known[0]
        return await self.newest_realm(name)

    async def newest_realm(self, name: str) -> Realm | None:
        """Reads the realm from the store; returns the same object as before when nothing changed.

        Raises Warming while the store can't yet tell that the realm doesn't exist.
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
        """Returns the tenant's view as last read. Raises UnknownTenant, confirmed by the store."""
        known = self._tenants.get(tenant_id)
        if known is not None and known.view.settings.realm == realm:
            return known.view
        return await self.newest_view(tenant_id, realm)

    async def newest_view(self, tenant_id: str, realm: str) -> TenantView:
        """Reads the tenant from the store and returns its view. Raises UnknownTenant."""
        return (await self._load(tenant_id, realm)).view

    async def answer(
        self, tenant_id: str, realm: str, count_request: CountRequest, zone: str = timezones.DEFAULT
    ) -> Answer:
        """Returns the count of every requested filter and the summary, from one atomic read, for today in that zone.

        Waits `patience_s` at most for columns that are filling. Raises UnknownTenant, InvalidIds, Warming (each
        confirmed by the store), OverBudget when new columns exceed a budget, and StoreUnavailable.
        """
        known = self._tenants.get(tenant_id)
        if known is not None and known.view.settings.realm == realm:
            try:
                answer = await self._ask(known, tenant_id, count_request, zone)
            except (InvalidIds, Warming):
                answer = None  # the cached view may be outdated: read again
            if answer is not None:
                return answer
        return await self._patient_answer(tenant_id, realm, count_request, zone)

    async def _patient_answer(self, tenant_id: str, realm: str, count_request: CountRequest, zone: str) -> Answer:
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + self._patience_s
        is_demanded = False
        while True:
            try:
                return await self._newest_answer(tenant_id, realm, count_request, zone)
            except Warming as warming:
                if warming.demands and not is_demanded:
                    view, user = await self.view(tenant_id, realm), count_request.viewer.user
                    is_demanded = await self._demands.demand(
                        tenant_id, view, user, warming.demands, self._clock.now_us()
                    )
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
        """Tells whether answers are possible now. Doesn't raise when the store is away."""
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
        """Returns the tenant as last read. Checks no realm, since a credential names none. Raises UnknownTenant."""
        return self._tenants.get(tenant_id) or await self.newest(tenant_id)

    async def newest(self, tenant_id: str) -> CachedTenant:
        """Reads the tenant from the store; checks no realm. Raises UnknownTenant and Warming."""
        stored = await self.stored(tenant_id)
        if stored is None:
            self._tenants.drop(tenant_id)
            raise UnknownTenant(tenant_id)
        async with self._compiling.setdefault(
            tenant_id, asyncio.Lock()
        ):  # one request compiles the view, others wait for it
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
        """Returns the stored record; None only for a tenant that isn't in force. Raises Warming."""
        reader = self._reader
        return await confirmed(lambda: reader.tenant(tenant_id), lambda: reader.tenants_read(tenant_id))

    async def check_catalogue(self) -> None:
        """Raises Warming until the store has had the whole catalogue once."""
        await check(self._reader.catalogue_read)

    async def _ask(self, known: CachedTenant, tenant_id: str, count_request: CountRequest, zone: str) -> Answer | None:
        """Returns None when the tenant's record has changed since it was compiled."""
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
