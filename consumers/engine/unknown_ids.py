"""Says which ids the catalogue doesn't know: in the log, and in the store for `consumers.catalogue unknown`.

Each id seldom, and few in all: a source that was never described must not fill the log, nor Redis.
"""

from collections import Counter
from collections.abc import Callable

import structlog

from service.clock import Clock
from service.domain.tickets.ticket import Instant
from service.lru import Lru
from service.store.ports.errors import StoreUnavailable
from service.store.ports.unknown_ids import MOST_KEPT, UnknownId, UnknownIdStore

log = structlog.get_logger()

REPEAT_US = 600_000_000
"""An id is said again ten minutes after the last time: often enough to see whether it is still met."""

REMEMBERED = 10_000
"""Ids whose last time is remembered, some 4 MB at most; of more, those said longest ago are said again."""

WINDOW_US = 60_000_000
LINES, TENANT_LINES = 60, 5
"""Log lines within a minute, of all tenants and of each."""

MOST_TENANTS = 1_000
"""Tenants of which something waits to be stored."""


class UnknownIds:
    """What one consumer has met."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said: Lru[tuple[str, str, str], Instant] = Lru(REMEMBERED)
        self._lines: Counter[str] = Counter()
        self._left_out = 0
        self._window_ends: Instant = 0
        self._waiting: dict[str, dict[tuple[str, str], UnknownId]] = {}

    def met(self, tenant: str, ticket: str, field: str, id_: str) -> None:
        """An applied event has left this ticket with this id."""
        now, name = self._clock.now_us(), (tenant, field, id_)
        said = self._said.get(name)
        if said is not None and said <= now < said + REPEAT_US:
            return
        self._said.put(name, now)
        self._say(now, tenant, ticket, field, id_)
        if tenant in self._waiting or len(self._waiting) < MOST_TENANTS:
            waiting = self._waiting.setdefault(tenant, {})
            if len(waiting) < MOST_KEPT:
                waiting[field, id_] = UnknownId(field, id_, ticket, now)

    async def store(self, store: UnknownIdStore, is_away: Callable[[str], bool] = lambda _: False) -> None:
        """Stores what was met since; of tenants that are away, and while all of the store is, it waits."""
        for tenant in [tenant for tenant in self._waiting if not is_away(tenant)]:
            try:
                await store.note_unknown_ids(tenant, list(self._waiting[tenant].values()))
            except StoreUnavailable:
                return
            del self._waiting[tenant]

    def _say(self, now: Instant, tenant: str, ticket: str, field: str, id_: str) -> None:
        if not self._window_ends - WINDOW_US <= now < self._window_ends:
            if self._left_out:
                log.warning("more ids that the catalogue doesn't know", left_out=self._left_out)
            self._window_ends, self._left_out = now + WINDOW_US, 0
            self._lines.clear()
        if self._lines.total() >= LINES or self._lines[tenant] >= TENANT_LINES:
            self._left_out += 1
            return
        self._lines[tenant] += 1
        log.warning("the catalogue doesn't know an id", tenant=tenant, ticket=ticket, field=field, id=id_)
