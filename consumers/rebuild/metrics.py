"""Metrics of a running rebuild: its progress, and the generations that it has swapped in. Counts nothing itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from consumers.ops.small_server import serving
from consumers.rebuild.filling import Filling
from consumers.rebuild.rebuilding import Rebuilding


class RebuildMetrics(Collector):
    """Collects the metrics at each scrape."""

    def __init__(self, rebuilding: Rebuilding, filling: Filling) -> None:
        self._rebuilding = rebuilding
        self._filling = filling

    def collect(self) -> Iterator[Metric]:
        """Yields the current metrics."""
        tenants = GaugeMetricFamily(
            "ticket_counts_rebuild_tenants", "Tenants of this rebuild, by whether they are swapped.", labels=("state",)
        )
        tenants.add_metric(("left",), len(self._rebuilding.left))
        tenants.add_metric(("swapped",), len(self._rebuilding.swapped))
        yield tenants
        yield GaugeMetricFamily(
            "ticket_counts_rebuild_steps_done",
            "Records or tickets done in the current pass.",
            self._filling.progress.done,
        )
        yield GaugeMetricFamily(
            "ticket_counts_rebuild_steps", "Records or tickets of the current pass.", self._filling.progress.total
        )
        generations = GaugeMetricFamily(
            "ticket_counts_rebuild_generation",
            "1 for each generation that this rebuild has swapped in.",
            labels=("tenant", "generation"),
        )
        for tenant, generation in sorted(self._rebuilding.swapped.items()):
            generations.add_metric((tenant, generation), 1)
        yield generations


@contextmanager
def served(metrics: RebuildMetrics, host: str, port: int | None) -> Iterator[int | None]:
    """Serves /metrics while the context is open, and yields the port; with None, serves nothing. Raises CannotServe."""
    if port is None:
        yield None
        return
    registry = CollectorRegistry()
    registry.register(metrics)
    with serving(make_wsgi_app(registry), host, port) as served_at:
        yield served_at
