"""What is measured of requests and streams, for Prometheus. Never names a tenant or a user: labels stay few."""

import asyncio
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from service import timezones
from service.version import VERSION
from service.web.http.replies import Reply, document
from service.web.http.requests import Request
from service.web.ops.shared_metrics import SharedMetrics
from service.web.ops.stream_metrics import StreamMetrics
from service.web.push.tally import StreamTally

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""From an answer of an idle process to the longest wait for the store."""

OTHER = "other"
"""Label of paths and methods we don't have: anybody could make up as many as they like."""


class HttpMetrics:
    """What is counted of each request. One for an application: tests have many.

    With `shared` a scrape is that of all workers behind the port.
    """

    def __init__(self, streams: StreamTally, shared: SharedMetrics | None = None) -> None:
        self._shared = shared
        self.registry = CollectorRegistry() if shared is None else shared.registry
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "ticket_counts_http_requests",
            "Requests answered.",
            ("path", "method", "status"),
            registry=self.registry,
        )
        self._duration = Histogram(
            "ticket_counts_http_request_duration_seconds",
            "Time from a request's headers to the end of its answer; without event streams.",
            ("path",),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "ticket_counts_http_requests_in_flight",
            "Requests being answered, open streams among them.",
            registry=self.registry,
        )
        self.registry.register(StreamMetrics(streams))
        tasks = Gauge("ticket_counts_tasks", "Tasks on the event loop.", registry=self.registry)
        tasks.set_function(lambda: len(asyncio.all_tasks()))
        build = Info("ticket_counts_build", "Versions of this process.", registry=self.registry)
        build.info({"version": VERSION, "tzdata": timezones.version()})
        # Looking a child up costs more than counting: remembered, and few.
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def answered(self, path: str, method: str, status: int, duration_s: float | None) -> None:
        """Counts one request; `path` and `method` are ones of ours, or OTHER. A stream has no duration."""
        key = (path, method, status)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._requests.labels(path, method, str(status))
        counter.inc()
        if duration_s is None:
            return
        histogram = self._histograms.get(path)
        if histogram is None:
            histogram = self._histograms[path] = self._duration.labels(path)
        histogram.observe(duration_s)

    async def get(self, request: Request) -> Reply:
        """`GET /metrics`, in the text format that every scraper reads."""
        if self._shared is None:
            text = generate_latest(self.registry)
        else:
            text = await asyncio.to_thread(generate_latest, Collected(await self._shared.collect()))
        return document(text, CONTENT_TYPE_PLAIN_0_0_4)


class Collected(Collector):
    """Families that were collected already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """The families."""
        return self._families
