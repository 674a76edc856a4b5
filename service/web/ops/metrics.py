"""The service's Prometheus metrics of requests and streams. Never labels by tenant or user: label values stay few."""

import asyncio
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from service import timezones
from service.version import VERSION
from service.web.http.endpoint import Endpoint
from service.web.http.replies import Reply, document
from service.web.http.requests import Request
from service.web.models.operation import AnswerDescription, described, public_operation
from service.web.ops.shared_metrics import SharedMetrics
from service.web.ops.stream_metrics import StreamMetrics
from service.web.push.tally import StreamTally

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bounds from the answer of an idle process to the longest wait for the store."""

OTHER = "other"
"""Label of unknown paths and methods: callers can invent any number of them."""


class HttpMetrics(Endpoint):
    """The metrics of one application, and their endpoint.

    With `shared`, a scrape returns those of all workers behind the port.
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
            "Time from a request's headers to the end of its answer, event streams excluded.",
            ("path",),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "ticket_counts_http_requests_in_flight",
            "Requests being answered, including open streams.",
            registry=self.registry,
        )
        self.registry.register(StreamMetrics(streams))
        tasks = Gauge("ticket_counts_tasks", "Tasks on the event loop.", registry=self.registry)
        tasks.set_function(lambda: len(asyncio.all_tasks()))
        build = Info("ticket_counts_build", "Versions of this process.", registry=self.registry)
        build.info({"version": VERSION, "tzdata": timezones.version()})
        # Looking a child metric up costs more than counting. The caches stay small: label values are few.
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def answered(self, path: str, method: str, status: int, duration_s: float | None) -> None:
        """Counts one request. `path` and `method` are known ones or OTHER; `duration_s` is None for a stream."""
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

    @described(
        public_operation(
            "metrics",
            "operation",
            {200: AnswerDescription("The metrics.", str, media_types=("text/plain",))},
        )
    )
    async def get(self, request: Request) -> Reply:
        """Answers with the metrics of all workers.

        They are in Prometheus' text format 0.0.4, which every scraper reads.
        """
        if self._shared is None:
            text = generate_latest(self.registry)
        else:
            text = await asyncio.to_thread(generate_latest, FixedFamilies(await self._shared.collect()))
        return document(text, CONTENT_TYPE_PLAIN_0_0_4)


class FixedFamilies(Collector):
    """A collector of families that are collected already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Returns the families."""
        return self._families
