"""Merges the metrics of several processes into one set. Pure: reads no file and asks no process."""

from collections.abc import Callable, Iterable

import msgspec
from prometheus_client.core import Metric

ACCUMULATING = ("counter", "histogram")
"""Metric types whose values only grow. Values of ended processes are kept, or `rate()` would see a reset."""

GAUGES: dict[str, Callable[[float, float], float]] = {
    "ticket_counts_http_requests_in_flight": float.__add__,
    "ticket_counts_streams_open": float.__add__,
    "ticket_counts_tasks": float.__add__,
    "process_virtual_memory_bytes": float.__add__,
    "process_resident_memory_bytes": float.__add__,
    "process_open_fds": float.__add__,
    "process_max_fds": float.__add__,
    "process_start_time_seconds": min,
}
"""How to merge a gauge of two processes. The default is the maximum: the worst age or delay, the newest time."""

CREATED = "_created"
"""Suffix of the sample that holds the start time of a family's counting. Merging takes the earliest."""


class _Sample(msgspec.Struct, array_like=True):
    name: str
    labels: dict[str, str]
    value: float


class _Family(msgspec.Struct, array_like=True):
    name: str
    help: str
    type: str
    samples: list[_Sample]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Family]).decode


def dump_metrics(families: Iterable[Metric]) -> bytes:
    """Encodes the metric families; `load_metrics` of the same release decodes them."""
    return _encode(
        [
            _Family(
                family.name,
                family.documentation,
                family.type,
                [_Sample(sample.name, dict(sample.labels), float(sample.value)) for sample in family.samples],
            )
            for family in families
        ]
    )


def load_metrics(dump: bytes) -> list[Metric]:
    """Decodes the bytes of `dump_metrics`. Exemplars and timestamps are lost."""
    families = []
    for each in _decode(dump):
        family = Metric(each.name, each.help, each.type)
        for sample in each.samples:
            family.add_sample(sample.name, sample.labels, sample.value)
        families.append(family)
    return families


def accumulating_only(families: Iterable[Metric]) -> list[Metric]:
    """Returns the families whose values are kept after their process has ended."""
    return [family for family in families if family.type in ACCUMULATING]


def merge_metrics(processes: Iterable[Iterable[Metric]]) -> list[Metric]:
    """Returns one family per name with the merged values of all processes, in order of first appearance.

    Example: a counter of 2 and 3 becomes 5, an age gauge of 2 s and 3 s becomes 3 s.
    """
    first: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for families in processes:
        for family in families:
            first.setdefault(family.name, family)
            of_family = values.setdefault(family.name, {})
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                value = float(sample.value)
                of_family[key] = _merge(family, sample.name, of_family[key], value) if key in of_family else value
    return [_with_values(family, values[name]) for name, family in first.items()]


def _merge(family: Metric, sample: str, one: float, other: float) -> float:
    if sample.endswith(CREATED):
        return min(one, other)
    if family.type in ACCUMULATING:
        return one + other
    return GAUGES.get(family.name, max)(one, other)


def _with_values(family: Metric, values: dict[tuple[str, tuple[tuple[str, str], ...]], float]) -> Metric:
    merged = Metric(family.name, family.documentation, family.type)
    for (name, labels), value in values.items():
        merged.add_sample(name, dict(labels), value)
    return merged
