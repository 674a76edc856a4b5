"""Metrics of event streams, made of what is counted of them when somebody asks. Never counts anything itself."""

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from service.web.push.tally import SecondsHistogram, StreamTally

OPEN = "ticket_counts_streams_open"


class StreamMetrics(Collector):
    """Register it in the registry that is scraped."""

    def __init__(self, tally: StreamTally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        tally = self._tally
        gauge = GaugeMetricFamily(OPEN, "Event streams open now, by how the caller was known.", labels=("kind",))
        for kind in ("token", "ticket"):
            gauge.add_metric((kind,), tally.open[kind])
        yield gauge
        yield _counter(
            "streams_opened",
            "Streams begun: fresh, or coming back to what was current or to a snapshot.",
            ("begin", tally.opened),
        )
        yield _counter(
            "streams_turned_away", "Streams told to come back later before they began.", ("reason", tally.turned_away)
        )
        yield _counter("streams_closed", "Streams ended, by their bye or gone without one.", ("reason", tally.closed))
        yield _counter("stream_frames", "Frames handed to connections.", ("event", tally.frames))
        yield _plain(
            "stream_conflated_states", "States that slow clients were spared: newer ones came.", tally.conflated
        )
        yield _plain("stream_hint_gaps", "Subscriptions to hints that followed a lost one.", tally.gaps)
        yield _histogram(
            "stream_latency_seconds", "From hearing of a change to handing it to a connection.", tally.latency
        )
        yield _histogram("stream_data_age_seconds", "Age of the newest event in what a view begins to show.", tally.age)


def _counter(name: str, help_text: str, by: tuple[str, Counter[str]]) -> CounterMetricFamily:
    label, counts = by
    family = CounterMetricFamily(f"ticket_counts_{name}", help_text, labels=(label,))
    for value, count in sorted(counts.items()):
        family.add_metric((value,), count)
    return family


def _plain(name: str, help_text: str, count: int) -> CounterMetricFamily:
    return CounterMetricFamily(f"ticket_counts_{name}", help_text, value=count)


def _histogram(name: str, help_text: str, spread: SecondsHistogram) -> HistogramMetricFamily:
    bounds = [*map(str, spread.bounds_s), "+Inf"]
    buckets = list(zip(bounds, accumulate(spread.counts), strict=True))
    return HistogramMetricFamily(f"ticket_counts_{name}", help_text, buckets=buckets, sum_value=spread.sum_s)
