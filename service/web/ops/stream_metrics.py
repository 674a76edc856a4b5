"""Turns the stream tally into Prometheus metrics at each scrape. Never counts anything itself."""

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from service.web.push.tally import SecondsHistogram, StreamTally

OPEN = "ticket_counts_streams_open"


class StreamMetrics(Collector):
    """The collector of the stream metrics, for a Prometheus registry."""

    def __init__(self, tally: StreamTally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics with their current values."""
        tally = self._tally
        gauge = GaugeMetricFamily(OPEN, "Open event streams, by how the caller authenticated.", labels=("kind",))
        for kind in ("token", "ticket"):
            gauge.add_metric((kind,), tally.open[kind])
        yield gauge
        yield _counter(
            "streams_opened",
            "Streams begun: new clients (fresh), and reconnects by their first event (current, snapshot).",
            ("begin", tally.opened),
        )
        yield _counter(
            "streams_turned_away", "Streams refused with a bye as their only event.", ("reason", tally.turned_away)
        )
        yield _counter(
            "streams_closed", "Streams ended, by the reason of their bye, or gone.", ("reason", tally.closed)
        )
        yield _counter("stream_frames", "Frames handed to connections.", ("event", tally.frames))
        yield _plain("stream_conflated_states", "States that slow clients skipped for newer ones.", tally.conflated)
        yield _plain("stream_hint_gaps", "Subscriptions to hints that replaced a lost one.", tally.gaps)
        yield _histogram(
            "stream_latency_seconds", "Time from the hint of a change to its hand-over to a connection.", tally.latency
        )
        yield _histogram("stream_data_age_seconds", "Age of the newest event in newly published states.", tally.age)


def _counter(name: str, help_text: str, labelled: tuple[str, Counter[str]]) -> CounterMetricFamily:
    label, counts = labelled
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
