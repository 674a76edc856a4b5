"""Columns for pairs of profile and filter: made when first asked for, dropped when not asked for any more."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
import structlog

from consumers.adoption import Adoption
from consumers.metrics import Metrics
from service.clock import Clock
from service.domain.record import Entries, Pair, adopted, with_pairs
from service.domain.ticket import Instant
from service.store.port import CounterStore, StoredTenant
from service.store.token import minted

log = structlog.get_logger()

UNUSED_US = 24 * 3_600 * 1_000_000
"""A pair that nobody has asked for in a day is dropped: a dashboard on the wall asks every few minutes."""

DROP_EVERY_US = 600 * 1_000_000
"""Between looks for pairs to drop."""


class WantedColumns:
    """Looks at what was asked for, and changes tenants' records accordingly."""

    def __init__(
        self, store: CounterStore, adoption: Adoption, clock: Clock, metrics: Metrics, most_pairs: int
    ) -> None:
        self._store = store
        self._adoption = adoption
        self._clock = clock
        self._metrics = metrics
        self._most = most_pairs
        self._dropped_at = clock.now_us()

    async def look(self, may: Callable[[str], Awaitable[bool]]) -> None:
        """Takes up what is newly asked for, and now and then drops what isn't. `may` says whose tenants are ours."""
        now = self._clock.now_us()
        due: Iterable[str] = await self._store.wanting()
        if now - self._dropped_at >= DROP_EVERY_US:
            self._dropped_at = now
            due = {*due, *self._adoption.paired}
        for tenant in due:
            if await may(tenant):
                await self._store.settle_wanting(tenant)  # before it is looked at: what is asked meanwhile comes again
                await self._tenant(tenant, now)

    async def _tenant(self, name: str, now: Instant) -> None:
        asked = await self._store.asked_pairs(name)
        while (stored := await self._store.tenant(name)) is not None:
            newest = stored.record.newest
            entries = chosen(newest, asked, now, self._most)
            await self._forget(name, asked, entries)
            if entries.pairs == newest.pairs:
                return
            record = adopted(stored.record, entries, stored.record.newest_version)
            new = StoredTenant(minted(), stored.generation, record)
            if await self._store.put_tenant(name, stored.token, new):
                log.info("pairs of profile and filter", tenant=name, pairs=len(entries.pairs))
                self._adoption.noted(name, new)
                return

    async def _forget(self, name: str, asked: Mapping[Pair, Instant], entries: Entries) -> None:
        gone = [pair for pair in asked if pair not in entries.pairs]
        if gone:
            self._metrics.pairs_dropped.inc(len(gone))
            await self._store.forget_pairs(name, gone)


def chosen(entries: Entries, asked: Mapping[Pair, Instant], now: Instant, most: int) -> Entries:
    """The entries with the pairs that are to have columns: asked for within a day, at most so many, newest first."""
    fresh = {pair: at for pair, at in asked.items() if now - at < UNUSED_US}
    possible = with_pairs(entries, fresh).pairs
    newest = sorted(possible, key=lambda pair: (-fresh[pair], pair))[:most]
    return msgspec.structs.replace(entries, pairs=frozenset(newest))
