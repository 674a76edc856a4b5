"""Reads the real incidents beside the repository: events, catalogue and correct counts. Never copies them."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "volvo-2013"
REALM = "volvo-2013"
WHY_ABSENT = "the real incidents, ../shared/data/volvo-2013, are not beside this repository"


@dataclass(frozen=True, slots=True)
class Truth:
    """The correct counts of one viewer after the first `events` lines."""

    events: int
    at: str
    tenant: str
    role: str
    user: str
    teams: frozenset[str]
    profile_id: str | None
    counts: dict[str, int]
    total_open: int
    total_closed: int


def is_present() -> bool:
    """Whether the folder exists. If not, tests are skipped with WHY_ABSENT."""
    return (FOLDER / "truth.ndjson.gz").is_file()


def lines(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(FOLDER / f"{name}.ndjson.gz", "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


@lru_cache(maxsize=1)
def catalogue() -> tuple[dict[str, Any], ...]:
    """Returns the tenants, filters and profiles as `{"kind", "value"}`. The test must define their realm."""
    return tuple(lines("catalogue"))


@lru_cache(maxsize=1)
def events() -> tuple[dict[str, Any], ...]:
    """Returns the CloudEvents in time order, each with the whole ticket."""
    return tuple(lines("events"))


@lru_cache(maxsize=1)
def truth() -> tuple[Truth, ...]:
    """Returns every row, ordered by prefix."""
    return tuple(
        Truth(
            events=row["events"],
            at=row["at"],
            tenant=row["tenant"],
            role=row["role"],
            user=row["user"],
            teams=frozenset(row["teams"]),
            profile_id=row["templateProfileFilterId"],
            counts=row["counts"],
            total_open=row["totalOpen"],
            total_closed=row["totalClosed"],
        )
        for row in lines("truth")
    )


def prefixes() -> tuple[int, ...]:
    """Returns the prefix lengths that have rows, ascending."""
    return tuple(sorted({row.events for row in truth()}))
