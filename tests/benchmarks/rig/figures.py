"""Figures of repeated runs: medians, spreads, ratios, and how they are shown. Measures nothing."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured several times; `target` is the least it should be, or the most where `at_most`."""

    name: str
    unit: str
    values: tuple[float, ...]
    target: float | None = None
    at_most: bool = False

    @property
    def median(self) -> float:
        """The middle of the runs."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool:
        """Whether the median is as the target says; without one, always."""
        if self.target is None:
            return True
        return self.median <= self.target if self.at_most else self.median >= self.target

    def document(self) -> dict[str, object]:
        """For JSON."""
        found: dict[str, object] = {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "values": list(self.values),
        }
        return found if self.target is None else found | {"target": self.target, "met": self.met}


def ratios(
    name: str, over: Sequence[float], under: Sequence[float], target: float | None = None, *, at_most: bool = False
) -> Figure:
    """Run by run `over` ÷ `under`, in per cent: neighbours in time met the same machine."""
    return Figure(name, "%", tuple(100 * a / b for a, b in zip(over, under, strict=True)), target, at_most)


def table(title: str, figures: Sequence[Figure]) -> str:
    """A table for people: the median, the range over the runs, and the target."""
    rows = [("", "median", "lowest", "highest", "unit", "target")]
    for one in figures:
        bound = "" if one.target is None else f"{'≤' if one.at_most else '≥'} {one.target:g}"
        verdict = bound and f"{bound} {'met' if one.met else 'MISSED'}"
        numbers = (_short(one.median), _short(min(one.values)), _short(max(one.values)))
        rows.append((one.name, *numbers, one.unit, verdict))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if place in (0, 4, 5) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join((title, *lines, ""))


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
