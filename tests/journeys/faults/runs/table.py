"""The table of fault runs: a line for each, with what fired and what was found. Judges nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.journeys.faults.runs.run import Figures

COLUMNS = (
    ("run", 12), ("faults", 6), ("kinds", 5), ("assignments", 11), ("rewinds", 7), ("conflicts", 9), ("events", 8),
    ("records", 8), ("duplicates", 10), ("doubled", 7), ("letters", 7), ("snapshots", 9), ("positions", 9),
    ("differences", 11),
)  # fmt: skip


@dataclass(slots=True)
class Row:
    """One run."""

    run: str
    fired: Counter[str] = field(default_factory=Counter)
    assignments: int = 0
    rewinds: int = 0
    conflicts: int = 0
    events: int = 0
    figures: Figures = field(default_factory=Figures)
    problem: str = ""
    """What went wrong first; "" where nothing did."""

    def line(self) -> str:
        """The run's line; its columns are those of `heading`."""
        found = self.figures
        values = (
            self.run, self.fired.total(), len(self.fired), self.assignments, self.rewinds, self.conflicts, self.events,
            found.records, found.duplicates, found.doubled, found.dead_letters, found.snapshots, found.positions,
            found.differences,
        )  # fmt: skip
        return "  ".join(f"{value:>{width}}" for value, (_, width) in zip(values, COLUMNS, strict=True))

    def faults(self) -> str:
        """What fired, and how often; and what went wrong."""
        fired = ", ".join(f"{name} ×{times}" if times > 1 else name for name, times in sorted(self.fired.items()))
        return f"{fired}; WRONG: {self.problem}" if self.problem else fired


def heading() -> str:
    """The names of the columns."""
    return "  ".join(f"{name:>{width}}" for name, width in COLUMNS)


def summary(rows: Sequence[Row]) -> list[str]:
    """The whole table, and how often each fault has fired in how many runs."""
    total: Counter[str] = sum((row.fired for row in rows), Counter())
    lines = [heading(), *(row.line() for row in rows), ""]
    for name, times in sorted(total.items()):
        lines.append(f"{times:>5} × {name}, in {sum(name in row.fired for row in rows)} of {len(rows)} runs")
    snapshots = sum(row.figures.snapshots for row in rows)
    return [*lines, "", f"{snapshots} snapshots, {sum(row.figures.differences for row in rows)} differences"]
