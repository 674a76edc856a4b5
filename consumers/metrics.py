"""Prometheus metrics of the consumer. Only records values; never changes what the consumer does."""

import math
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from service import timezones

EVENT_RESULTS = (
    "applied",
    "applied_after_gap",
    "duplicate",
    "conflicting",
    "late",
    "nothing_to_delete",
)


class ReadCounter(Collector):
    """A counter that Redis keeps, exported as it was read last. It starts at 0 again when Redis restarts."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text
        self._value = 0

    def set(self, value: int) -> None:
        """Remembers the newest value of this counter in Redis."""
        self._value = value

    def collect(self) -> Iterator[Metric]:
        """Yields the metric with the last value."""
        yield CounterMetricFamily(self._name, self._text, self._value)


class ConsumerMetrics:
    """The metrics of one process, in a registry of their own so that a test can create several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        events = Counter(
            "ticket_counts_events_total",
            "Events by result. conflicting: repeats a sequence with other content. applied_after_gap: a patch after a "
            "gap in the sequence, so an earlier change may be missing.",
            ["result"],
            registry=self.registry,
        )
        self.events = {result: events.labels(result) for result in EVENT_RESULTS}
        unknown = Counter(
            "ticket_counts_unknown_ids_total",
            "Statuses, priorities and teams in applied events that the catalogue doesn't know. The log and `python -m "
            "consumers.catalogue unknown` list them.",
            ["kind"],
            registry=self.registry,
        )
        self.unknown_ids = {kind: unknown.labels(kind) for kind in ("status", "priority", "team")}
        self.shadowed = self._counter(
            "shadowed_entries_total", "Adopted statuses, priorities and filters with an id that another entry has."
        )
        self.dead_letters = self._counter("dead_letters_total", "Records parked as dead letters.")
        self.conflicts = self._counter("conflicts_total", "Steps retried because a ticket changed after it was read.")
        self.stale_catalogue = self._counter(
            "stale_catalogue_total", "Steps retried because a tenant's record changed."
        )
        self.store_failures = self._counter("store_failures_total", "Steps that failed because Redis was away.")
        self.negative_cells = self._counter("negative_cells_total", "Counters found below zero: proof of drift.")
        self.rewinds = self._counter("rewinds_total", "Times that Redis had lost acknowledged writes.")
        self.lost_records = self._counter(
            "lost_records_total",
            "Records that retention deleted from the log before they were counted, and that were skipped.",
        )
        self.assignments = self._counter("assignments_total", "Times that this consumer was assigned partitions.")
        self.backfilled = self._counter("backfilled_tickets_total", "Tickets that backfills have read.")
        self.backfill_left = Gauge(
            "ticket_counts_backfill_tickets_left",
            "Tickets that the current backfill still has to read.",
            registry=self.registry,
        )
        self.asks_dropped = self._counter(
            "asked_columns_dropped_total",
            "Column demands (pairs of profile and filter, dated filters) dropped as unused or over the limit.",
        )
        self.audit_drift = Gauge(
            "ticket_counts_audit_drift_cells",
            "Wrong counters and wrong stored contributions of tickets that this consumer's last audit found.",
            registry=self.registry,
        )
        self.audit_finished = Gauge(
            "ticket_counts_audit_finished_timestamp_seconds",
            "End of this consumer's last audit that checked all of its tenants, in seconds since 1970.",
            registry=self.registry,
        )
        self.timers_fired = self._counter("timers_fired_total", "Due tickets that the timers applied again.")
        self.timers_late = Gauge(
            "ticket_counts_timers_late_seconds",
            "How long the oldest due ticket of the buckets with this consumer's lease was overdue at the last poll.",
            registry=self.registry,
        )
        Info("ticket_counts_tzdata", "The time zones in use.", registry=self.registry).info(
            {"version": timezones.version()}
        )
        self.lag = self._gauge(
            "oldest_unapplied_seconds", "Age of the oldest record that isn't applied, per assigned partition."
        )
        self.ready = self._plain("ready", "1 while /readyz answers 200, else 0.")
        self.flood = self._plain("flood_stopped", "1 while the consumer is stopped by a flood of bad records, else 0.")
        self.stopped = Gauge(
            "ticket_counts_stopped",
            "1 while the consumer is stopped until an operator decides, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.paused = Gauge(
            "ticket_counts_paused",
            "1 while the consumer writes nothing because Redis may evict keys or refuses writes, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.buckets_away = self._plain(
            "buckets_away", "Buckets skipped because their Redis server takes no writes, while other servers do."
        )
        self.redis_used = self._plain("redis_memory_bytes", "Memory that Redis uses.")
        self.redis_limit = self._plain("redis_memory_limit_bytes", "Memory limit of Redis (maxmemory), 0 for none.")
        self.redis_evicted = ReadCounter(
            "ticket_counts_redis_evicted_keys", "Keys that Redis has evicted since its start: proof of loss."
        )
        self.registry.register(self.redis_evicted)
        self.redis_persistent = self._plain(
            "redis_persistent",
            "1 if Redis persists its data to disk (AOF or RDB), 0 if it doesn't, NaN if that can't be read.",
        )
        self.redis_persistent.set(math.nan)  # unknown until the first poll
        self.redis_persistence_unknown = self._plain(
            "redis_persistence_unknown", "1 if it can't be read whether Redis persists its data to disk, else 0."
        )
        self.clock_ahead = self._plain(
            "clock_ahead_seconds",
            "How far this machine's clock is ahead of Redis' clock, which is then used instead; negative if behind.",
        )
        self.batch_events = Histogram(
            "ticket_counts_batch_events",
            "Events per batch.",
            buckets=(1, 10, 100, 1000, 4000, 10_000),
            registry=self.registry,
        )
        self.batch_seconds = Histogram(
            "ticket_counts_batch_seconds",
            "Time from fetched records to written counters.",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
            registry=self.registry,
        )

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"ticket_counts_{name}", text, registry=self.registry)

    def _plain(self, name: str, text: str) -> Gauge:
        return Gauge(f"ticket_counts_{name}", text, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"ticket_counts_{name}", text, ["partition"], registry=self.registry)
