"""What the consumers measure of themselves. Counts only; decides nothing."""

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
    """A counter that another process keeps, shown as it was read: from the beginning again where that one restarted."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text
        self._value = 0

    def set(self, value: int) -> None:
        """What it is now."""
        self._value = value

    def collect(self) -> Iterator[Metric]:
        """The metric as it was read last."""
        yield CounterMetricFamily(self._name, self._text, self._value)


class ConsumerMetrics:
    """One set per process, in a registry of its own so that tests can have many."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        events = Counter(
            "ticket_counts_events_total",
            "Events by what became of them: conflicting ones repeat a sequence with other content, a gap before a "
            "patch means that something may be missing.",
            ["result"],
            registry=self.registry,
        )
        self.events = {result: events.labels(result) for result in EVENT_RESULTS}
        unknown = Counter(
            "ticket_counts_unknown_ids_total",
            "Statuses, priorities and teams in applied events that the catalogue doesn't know: the log, and `python -m "
            "consumers.catalogue unknown`, say which.",
            ["kind"],
            registry=self.registry,
        )
        self.unknown_ids = {kind: unknown.labels(kind) for kind in ("status", "priority", "team")}
        self.shadowed = self._counter(
            "shadowed_entries_total", "Statuses, priorities and filters adopted whose id something else has already."
        )
        self.dead_letters = self._counter("dead_letters_total", "Records parked as dead letters.")
        self.conflicts = self._counter("conflicts_total", "Steps done again because a ticket had changed meanwhile.")
        self.stale_catalogue = self._counter("stale_catalogue_total", "Steps done again because a catalogue changed.")
        self.store_failures = self._counter("store_failures_total", "Steps done again because the store was away.")
        self.negative_cells = self._counter("negative_cells_total", "Counters seen below zero: proof of drift.")
        self.rewinds = self._counter("rewinds_total", "Times the store had lost acknowledged writes.")
        self.lost_records = self._counter(
            "lost_records_total",
            "Records that the log no longer had when they were to be counted, and that were passed over.",
        )
        self.assignments = self._counter("assignments_total", "Times partitions were assigned to this consumer.")
        self.swept = self._counter("swept_tickets_total", "Tickets gone over to fill new columns or clear old ones.")
        self.sweep_left = Gauge(
            "ticket_counts_sweep_tickets_left",
            "Tickets that the sweep at hand still has to go over.",
            registry=self.registry,
        )
        self.asks_dropped = self._counter(
            "asked_columns_dropped_total",
            "Pairs of profile and filter, and filters by the days of two fields, dropped: unused, or over the limit.",
        )
        self.audit_drift = Gauge(
            "ticket_counts_audit_drift_cells",
            "Counts, and tickets' own contributions, that this consumer's last audit found wrong.",
            registry=self.registry,
        )
        self.audit_finished = Gauge(
            "ticket_counts_audit_finished_timestamp_seconds",
            "When this consumer's last audit ended that could prove all of its tenants, in seconds since 1970.",
            registry=self.registry,
        )
        self.timers_fired = self._counter("timers_fired_total", "Tickets applied again because time changed them.")
        self.timers_late = Gauge(
            "ticket_counts_timers_late_seconds",
            "How long the first ticket that is due has been so at the last look, of the buckets at hand.",
            registry=self.registry,
        )
        Info("ticket_counts_tzdata", "The time zones in use.", registry=self.registry).info(
            {"version": timezones.version()}
        )
        self.lag = self._gauge(
            "oldest_unapplied_seconds", "Age of the oldest record not applied yet, by partition; of those at hand."
        )
        self.ready = self._plain("ready", "1 while /readyz answers 200, else 0.")
        self.flood = Gauge(
            "ticket_counts_flood_stopped", "1 while a flood of bad records has stopped it.", registry=self.registry
        )
        self.stopped = Gauge(
            "ticket_counts_stopped",
            "1 while it waits for an operator to decide, by what on.",
            ["reason"],
            registry=self.registry,
        )
        self.paused = Gauge(
            "ticket_counts_paused",
            "1 while nothing is written because Redis must not or can not take it, by why.",
            ["reason"],
            registry=self.registry,
        )
        self.buckets_away = self._plain(
            "buckets_away", "Buckets that take nothing now, while those of other servers do, and wait to be read again."
        )
        self.redis_used = self._plain("redis_memory_bytes", "What Redis uses of its limit.")
        self.redis_limit = self._plain("redis_memory_limit_bytes", "The limit of Redis (maxmemory), 0 for none.")
        self.redis_evicted = ReadCounter(
            "ticket_counts_redis_evicted_keys", "Keys that Redis dropped to make room since its start: proof of loss."
        )
        self.registry.register(self.redis_evicted)
        self.redis_persistent = self._plain(
            "redis_persistent",
            "1 where Redis keeps what it has on disk, by AOF or RDB; 0 where it doesn't; NaN where it doesn't tell.",
        )
        self.redis_persistent.set(math.nan)  # before the first look nothing is known either
        self.redis_persistence_unknown = self._plain(
            "redis_persistence_unknown", "1 where Redis doesn't tell whether it keeps what it has on disk, else 0."
        )
        self.clock_ahead = self._plain(
            "clock_ahead_seconds",
            "How far this machine's clock is ahead of Redis', which then counts instead; below 0 where it is behind.",
        )
        self.batch_events = Histogram(
            "ticket_counts_batch_events",
            "Events per batch.",
            buckets=(1, 10, 100, 1000, 4000, 10_000),
            registry=self.registry,
        )
        self.batch_seconds = Histogram(
            "ticket_counts_batch_seconds",
            "From records in hand to counters written.",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
            registry=self.registry,
        )

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"ticket_counts_{name}", text, registry=self.registry)

    def _plain(self, name: str, text: str) -> Gauge:
        return Gauge(f"ticket_counts_{name}", text, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"ticket_counts_{name}", text, ["partition"], registry=self.registry)
