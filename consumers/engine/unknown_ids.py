"""Reports ids that the catalogue doesn't know, in the log and in the store for `consumers.catalogue unknown`.

Reports are rate-limited per id, per tenant and in total: a source without a catalogue must not fill the log or Redis.
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
"""The same id is reported again after ten minutes: often enough to see whether events still use it."""

REMEMBERED = 10_000
"""Most ids whose last report is remembered, some 4 MB. Beyond that the oldest are forgotten, and reported again."""

WINDOW_US = 60_000_000
LINES, TENANT_LINES = 60, 5
"""Most log lines within a minute, in total and per tenant."""

MOST_TENANTS = 1_000
"""Most tenants with unknown ids that wait to be stored."""


class UnknownIds:
    """The unknown ids that one consumer has found."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reported: Lru[tuple[str, str, str], Instant] = Lru(REMEMBERED)
        self._lines: Counter[str] = Counter()
        self._left_out = 0
        self._window_ends: Instant = 0
        self._waiting: dict[str, dict[tuple[str, str], UnknownId]] = {}

    def add(self, tenant: str, ticket: str, field: str, id_: str) -> None:
        """Reports an unknown id of a ticket after an applied event, unless it was reported within `REPEAT_US`."""
        now, name = self._clock.now_us(), (tenant, field, id_)
        reported = self._reported.get(name)
        if reported is not None and reported <= now < reported + REPEAT_US:
            return
        self._reported.put(name, now)
        self._log(now, tenant, ticket, field, id_)
        if tenant in self._waiting or len(self._waiting) < MOST_TENANTS:
            waiting = self._waiting.setdefault(tenant, {})
            if len(waiting) < MOST_KEPT:
                waiting[field, id_] = UnknownId(field, id_, ticket, now)

    async def store(self, store: UnknownIdStore, is_away: Callable[[str], bool] = lambda _: False) -> None:
        """Stores the ids found since the last call. Those of away tenants, or of an away store, wait for the next."""
        for tenant in [tenant for tenant in self._waiting if not is_away(tenant)]:
            try:
                await store.note_unknown_ids(tenant, list(self._waiting[tenant].values()))
            except StoreUnavailable:
                return
            del self._waiting[tenant]

    def _log(self, now: Instant, tenant: str, ticket: str, field: str, id_: str) -> None:
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
