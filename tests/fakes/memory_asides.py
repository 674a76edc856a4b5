"""What the memory store keeps beside tickets and counters: realms, credentials, asks, backfills, leases."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from service.domain.catalogue.catalogue import Credential, Realm
from service.domain.tenants.tenant_entries import ColumnDemand
from service.domain.tickets.ticket import Instant
from service.store.ports.catalogue import Bucket, Position
from service.store.ports.unknown_ids import UnknownId
from tests.fakes.memory_grants import MemoryGrants


class MemoryAsides(MemoryGrants):
    """See `counter_store.CounterStore` for what each method promises."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        super().__init__(clock_ms)
        self._realms: dict[str, tuple[int, Realm | None]] = {}
        self._credentials: dict[str, tuple[int, Credential | None]] = {}
        self._leases: dict[Bucket, tuple[str, int]] = {}
        self._asked: dict[str, dict[ColumnDemand, Instant]] = {}
        self._wanting: set[str] = set()
        self._sweeps: dict[str, str] = {}
        self._unknown: dict[str, dict[tuple[str, str], UnknownId]] = {}
        self._judged: Position | None = None
        self._tenants_read = False
        self._catalogue_topic = ""

    # -- entries that no tenant owns ----------------------------------------------------------------------------------

    async def realm(self, name: str) -> Realm | None:
        return self._realms.get(name, (0, None))[1]

    async def credential(self, identifier: str) -> Credential | None:
        return self._credentials.get(identifier, (0, None))[1]

    async def credentials_of(self, username: str) -> Sequence[Credential]:
        found = [credential for _, credential in self._credentials.values()]
        return [each for each in found if each is not None and each.admin.username == username]

    async def put_realm(self, name: str, offset: int, realm: Realm | None) -> bool:
        if offset <= self._realms.get(name, (-1, None))[0]:
            return False
        self._realms[name] = (offset, realm)
        return True

    async def put_credential(self, identifier: str, offset: int, credential: Credential | None) -> None:
        if offset > self._credentials.get(identifier, (-1, None))[0]:
            self._credentials[identifier] = (offset, credential)

    async def catalogue_topic(self) -> str:
        return self._catalogue_topic

    async def set_catalogue_topic(self, topic: str) -> None:
        self._catalogue_topic = topic

    async def forget_catalogue_offsets(self) -> None:
        self._realms = {name: (-1, realm) for name, (_, realm) in self._realms.items()}
        self._credentials = {name: (-1, credential) for name, (_, credential) in self._credentials.items()}
        self._judged = None

    async def validated_offset(self) -> Position:
        return self._judged or 0

    async def set_validated_offset(self, position: Position) -> None:
        self._judged = max(self._judged or 0, position)

    async def catalogue_read(self) -> bool:
        return self._judged is not None

    async def tenants_read(self, tenant: str) -> bool:
        return self._tenants_read

    async def set_tenants_read(self) -> None:
        self._tenants_read = True

    async def lease(self, bucket: Bucket, holder: str, ttl_ms: int) -> bool:
        current, until_ms = self._leases.get(bucket, (holder, 0))
        if current != holder and until_ms > self._clock_ms():
            return False
        self._leases[bucket] = (holder, self._clock_ms() + ttl_ms)
        return True

    async def give_back(self, bucket: Bucket, holder: str) -> None:
        if self._leases.get(bucket, ("", 0))[0] == holder:
            del self._leases[bucket]

    # -- column demands and backfills ---------------------------------------------------------------------

    async def note_demands(self, tenant: str, demands: Iterable[ColumnDemand], now: Instant, *, missing: bool) -> None:
        asked = self._asked.setdefault(tenant, {})
        for ask in demands:
            asked[ask] = max(asked.get(ask, 0), now // 1000 * 1000)
        if missing:
            self._wanting.add(tenant)

    async def tenants_with_demands(self) -> Sequence[str]:
        return sorted(self._wanting)

    async def settle_demands(self, tenant: str) -> None:
        self._wanting.discard(tenant)

    async def demands(self, tenant: str) -> Mapping[ColumnDemand, Instant]:
        return dict(self._asked.get(tenant, {}))

    async def forget_demands(self, tenant: str, demands: Sequence[ColumnDemand]) -> None:
        for ask in demands:
            self._asked.get(tenant, {}).pop(ask, None)

    async def backfill_progress(self, tenant: str) -> str:
        return self._sweeps.get(tenant, "")

    async def set_backfill_progress(self, tenant: str, mark: str) -> None:
        self._sweeps[tenant] = mark
