"""The diagram of a record's states in `docs/filters.md` has exactly the transitions of the code."""

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from service.domain.tenants.record import Backfill, TenantRecord, adopted, backfill_for, backfilled, new_record
from tests.domain.tenants.test_record import VALUES, entries

PAGE = Path(__file__).parents[3] / "docs/filters.md"

ARROW = re.compile(r"^ +(\S+) --> (\S+): (entry|backfill)\b", re.MULTILINE)
"""From, to, and the cause."""

EDITS = [entries(chosen) for size in range(3) for chosen in combinations(VALUES[:3], size)]

LONGEST = 3
"""The number of steps: enough to reach every state from every other one."""


def state(record: TenantRecord) -> str:
    if record.pending is not None:
        assert record.filling
        return "filling"
    assert not record.filling
    return "retired" if record.retired else "in_force"


def arrows(record: TenantRecord, backfill: Backfill | None, steps: int) -> Iterator[tuple[str, str, str]]:
    """Yields all transitions of a record within so many steps, with a backfill that began at any step, or none."""
    if not steps:
        return
    before = state(record)
    for edited in EDITS:
        newer = adopted(record, edited, record.newest_version + 1)
        yield before, state(newer), "entry"
        yield from arrows(newer, backfill or backfill_for(newer), steps - 1)
    if backfill is not None:
        settled = backfilled(record, backfill)
        yield before, state(settled), "backfill"
        yield from arrows(settled, backfill_for(settled), steps - 1)


def test_the_diagram_has_the_arrows_of_the_code() -> None:
    found = {arrow for first in EDITS for arrow in arrows(new_record(first, 0), None, LONGEST)}
    found |= {("[*]", state(new_record(first, 0)), "entry") for first in EDITS}
    drawn = ARROW.findall(PAGE.read_text())
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == found
