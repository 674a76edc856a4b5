"""The real incidents beside the repository: events, catalogue and truth as they lie there. Never copies them."""

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
    """What one viewer must see once the first `events` lines are applied."""

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
    """Whether the folder is there; where it isn't, tests are skipped with WHY_ABSENT."""
    return (FOLDER / "truth.ndjson.gz").is_file()


def lines(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(FOLDER / f"{name}.ndjson.gz", "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


@lru_cache(maxsize=1)
def catalogue() -> tuple[dict[str, Any], ...]:
    """`{"kind", "value"}` of the tenants, filters and profiles; their realm has to be defined by the test."""
    return tuple(lines("catalogue"))


@lru_cache(maxsize=1)
def events() -> tuple[dict[str, Any], ...]:
    """The CloudEvents in time order, whole tickets all."""
    return tuple(lines("events"))


@lru_cache(maxsize=1)
def truth() -> tuple[Truth, ...]:
    """Every row, in the order of the prefixes."""
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
    """The numbers of events after which there is a truth, ascending."""
    return tuple(sorted({row.events for row in truth()}))
