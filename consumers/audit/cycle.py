"""Audits many tenants in a row, and schedules such rounds inside a consumer. Repairs nothing by itself."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping

import structlog

from consumers.audit.tenant_audit import TenantAudit, TenantReport, Unproven
from consumers.coordination.leases import Leases
from consumers.coordination.live_work import LiveWork
from consumers.kafka_errors import RETRIED
from consumers.metrics import ConsumerMetrics
from consumers.retrying import Retrying
from service.clock import Clock
from service.store.ports.auditing import AuditedStore
from service.store.ports.catalogue import Bucket

log = structlog.get_logger()

NAMES = 1_000
"""Keys scanned in one read: half a millisecond of Redis."""


async def stored_counters(store: AuditedStore, only: str | None = None) -> Mapping[str, set[str]]:
    """Returns the names of all stored counters by tenant, over all generations; with `only`, of that tenant.

    Only its name reveals a counter that has no ticket. Costs some 100 bytes for each person with tickets.
    """
    names: dict[str, set[str]] = {}
    cursor = 0
    while True:
        cursor, found = await store.counter_names(cursor, NAMES)
        for tenant, _, counter in found:
            if only is None or tenant == only:
                names.setdefault(tenant, set()).add(counter)
        if not cursor:
            return names
        await asyncio.sleep(0)


async def audited(
    audit: TenantAudit, tenants: Iterable[str], counters: Mapping[str, set[str]]
) -> AsyncGenerator[TenantReport | Unproven, None]:
    """Yields the report of each tenant, or the Unproven error."""
    for tenant in tenants:
        try:
            yield await audit.run(tenant, counters.get(tenant, ()))
        except Unproven as reason:
            yield reason


class AuditSchedule:
    """Audits the tenants of the buckets that this consumer holds the lease of, every `every_s` seconds (0: never)."""

    def __init__(
        self,
        store: AuditedStore,
        leases: Leases,
        clock: Clock,
        metrics: ConsumerMetrics,
        buckets: Iterable[Bucket],
        every_s: float,
        retrying: Retrying | None = None,
        live: LiveWork | None = None,
    ) -> None:
        self._store = store
        self._leases = leases
        self._audit = TenantAudit(store, clock, live=live)
        self._metrics = metrics
        self._buckets = tuple(buckets)
        self._every_s = every_s
        self._retrying = retrying or Retrying("audit")

    async def run(self) -> None:
        """Repeats rounds until cancelled. Returns at once when `every_s` is 0. Raises errors that no retry cures."""
        while self._every_s:
            await asyncio.sleep(self._every_s)
            try:
                await self.look()
                self._retrying.succeeded()
            except RETRIED as error:
                self._retrying.report(error)

    async def look(self) -> None:
        """Runs one round and sets the metrics. Raises StoreUnavailable."""
        counters = await stored_counters(self._store)
        drift, proven = 0, True
        for bucket in self._buckets:
            if not await self._leases.mine(bucket):
                continue
            async for result in audited(self._audit, await self._store.tenants(bucket), counters):
                if isinstance(result, Unproven):
                    proven = False
                    log.warning("audit unproven", reason=str(result))
                else:
                    drift += result.drift
                    _log_report(result)
        self._metrics.audit_drift.set(drift)
        if proven:
            self._metrics.audit_finished.set(time.time())


def _log_report(report: TenantReport) -> None:
    if report.drift:
        log.error(
            "audit found drift, run python -m consumers.audit --repair",
            tenant=report.tenant,
            version=report.version,
            cells=[str(cell) for cell in report.cells[:_SHOWN]],
            tickets=list(report.wrong_tickets)[:_SHOWN],
            drift=report.drift,
        )
    else:
        log.info("audited", tenant=report.tenant, version=report.version, tickets=report.tickets)


_SHOWN = 10
"""The most faults of a tenant in one log line; the command prints all."""
