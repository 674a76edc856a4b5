"""Metrics of several processes as those of one. Pure: reads no file, asks no process."""

from collections.abc import Callable, Iterable

import msgspec
from prometheus_client.core import Metric

ACCUMULATING = ("counter", "histogram")
"""Types whose values only grow: those of a process that has ended still count, or rates would see a reset."""

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
"""How the values of two processes become one. A gauge that isn't here takes the larger one: of an age or a delay the
worst, of a time the newest."""

CREATED = "_created"
"""End of the name of a sample that says since when the others of its family are counted: the earliest is right."""


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


def dumped(families: Iterable[Metric]) -> bytes:
    """The metric families as bytes; `loaded` of the same release reads them."""
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


def loaded(dump: bytes) -> list[Metric]:
    """What `dumped` was given, without exemplars and timestamps."""
    families = []
    for each in _decode(dump):
        family = Metric(each.name, each.help, each.type)
        for sample in each.samples:
            family.add_sample(sample.name, sample.labels, sample.value)
        families.append(family)
    return families


def accumulating(families: Iterable[Metric]) -> list[Metric]:
    """Those that still count when their process has ended."""
    return [family for family in families if family.type in ACCUMULATING]


def merged(processes: Iterable[Iterable[Metric]]) -> list[Metric]:
    """One family of each name, in the order in which they are met, with the values of all processes taken together."""
    first: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for families in processes:
        for family in families:
            first.setdefault(family.name, family)
            together = values.setdefault(family.name, {})
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                value = float(sample.value)
                together[key] = _both(family, sample.name, together[key], value) if key in together else value
    return [_rebuilt(family, values[name]) for name, family in first.items()]


def _both(family: Metric, sample: str, one: float, other: float) -> float:
    if sample.endswith(CREATED):
        return min(one, other)
    if family.type in ACCUMULATING:
        return one + other
    return GAUGES.get(family.name, max)(one, other)


def _rebuilt(family: Metric, values: dict[tuple[str, tuple[tuple[str, str], ...]], float]) -> Metric:
    rebuilt = Metric(family.name, family.documentation, family.type)
    for (name, labels), value in values.items():
        rebuilt.add_sample(name, dict(labels), value)
    return rebuilt
