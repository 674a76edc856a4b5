"""Monitors Redis: pauses counting while Redis may evict counters, and reports when it refuses writes. Repairs nothing.

At start a wrong configuration is refused (`RedisStore.ensure_layout`). This module notices later changes: an operator
reconfigures a server, or a failover leads to a server with another configuration.
"""

import asyncio
import contextlib
import math

import structlog

from consumers.metrics import ConsumerMetrics
from consumers.ops.health import Health
from service.store.ports.errors import StoreUnavailable
from service.store.redis.server_status import ServerStatus
from service.store.redis.store import RedisStore

log = structlog.get_logger()

POLL_INTERVAL_S = 1.0
"""Pause between two polls: the longest that a changed eviction policy stays unnoticed. A poll costs Redis 0.1 ms."""

REFUSED_S = 4.0
"""How long a refused write is reported: steps retry at least every 2.4 s, and a small write may succeed in between."""

EVICTION, REFUSED = "eviction", "refused"


class StoreWatch:
    """Watches the Redis servers of one consumer. Logs each change once."""

    def __init__(self, store: RedisStore, health: Health, metrics: ConsumerMetrics) -> None:
        self._store = store
        self._health = health
        self._metrics = metrics
        self._refusal, self._refused_until = "", 0.0
        self._evicted = 0
        self._persistent: bool | None = None
        self._unknown_said = False

    async def run(self) -> None:
        """Polls for ever."""
        while True:
            with contextlib.suppress(StoreUnavailable):  # writers report this error
                self.take(await self._store.condition(), asyncio.get_running_loop().time())
            await asyncio.sleep(POLL_INTERVAL_S)

    def take(self, condition: ServerStatus, now_s: float) -> None:
        """Applies a server status: pauses or resumes counting, and updates metrics. `now_s` is monotonic."""
        if self._store.unable is not None:
            self._refusal, self._refused_until = str(self._store.unable), now_s + REFUSED_S
            self._store.unable = None
        refused = f"{self._refusal} (nothing is counted until it takes more)" if now_s < self._refused_until else ""
        self._store.paused = condition.drops
        self._metrics.paused.labels(EVICTION).set(bool(condition.drops))
        self._metrics.paused.labels(REFUSED).set(bool(refused))
        self._say(condition.drops or refused)
        self._note_memory(condition)
        self._note_persistence(condition)

    def _say(self, reason: str) -> None:
        if reason and not self._health.paused:
            log.error("counting is paused", reason=reason)
        elif self._health.paused and not reason:
            log.warning("counting goes on")
        self._health.paused = reason

    def _note_memory(self, condition: ServerStatus) -> None:
        if condition.evicted > self._evicted:
            log.error("Redis has dropped keys to make room: rebuild all tenants", keys=condition.evicted)
        self._evicted = condition.evicted  # lower after a restart of the server
        self._metrics.redis_evicted.set(condition.evicted)
        self._metrics.redis_used.set(condition.used)
        self._metrics.redis_limit.set(condition.limit)

    def _note_persistence(self, condition: ServerStatus) -> None:
        unknown = condition.persistent is None
        if unknown and not self._unknown_said:
            self._unknown_said = True
            log.warning(
                "Redis doesn't tell whether it keeps anything on disk: allow CONFIG GET save, or make sure of it"
            )
        if condition.persistent is False and self._persistent is not False:
            log.warning(
                "Redis keeps nothing on disk: after its restart everything is counted again from the log's start, and "
                "the counts are incomplete until then; set appendonly yes"
            )
        self._persistent = condition.persistent
        self._metrics.redis_persistent.set(math.nan if condition.persistent is None else condition.persistent)
        self._metrics.redis_persistence_unknown.set(unknown)
