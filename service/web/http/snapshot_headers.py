"""A snapshot's position, version and age as `X-Counts-*` headers. Never reads the counts."""

from service.domain.tickets.instant import format_instant_exactly
from service.domain.tickets.ticket import Instant
from service.store.ports.reading import Snapshot
from service.web.http.replies import Headers

STALE_MS = 5_000
"""Counts are stale once a partition's consumer is silent, or its oldest unapplied record waits, for this long."""

SNAPSHOT_HEADERS = {
    "X-Counts-Version": "`<epoch>.<version>`; grows with each change, never goes back within an epoch.",
    "X-Counts-Position?": "`<partition>:<next offset>,…`: all records below are in the numbers. Only where the "
    "installation shows it.",
    "X-Counts-Catalogue": "Offset of the newest catalogue record in force for this tenant.",
    "X-Counts-Fresh": "`false` when consumers are behind or silent for more than 5 s.",
    "X-Counts-Timers?": "The instant through which deadlines are applied.",
    "X-Counts-As-Of?": "The newest event time applied; absent before the first.",
}
"""What each header says; `?` ends the names of those that may be missing."""


def version(snapshot: Snapshot) -> str:
    """`<epoch>.<version>`: never the same for two states of the counts."""
    return f"{snapshot.epoch}.{snapshot.version}"


def is_fresh(snapshot: Snapshot) -> bool:
    """False when any partition's consumer is behind or silent, or when none has ever been seen."""
    lags_ms = snapshot.lags_ms
    return bool(snapshot.positions) and all(
        lags_ms.get(partition, STALE_MS + 1) <= STALE_MS for partition in snapshot.positions
    )


def snapshot_headers(snapshot: Snapshot, catalogue: int, now: Instant, *, positions: bool) -> Headers:
    """Returns the headers of an answer at `now`. An unknown value has no header.

    With `positions`, how far the events topic is counted: its offsets tell the volume of the whole installation.
    """
    headers: Headers = [
        (b"x-counts-version", version(snapshot).encode()),
        (b"x-counts-catalogue", b"%d" % catalogue),
        (b"x-counts-fresh", b"true" if is_fresh(snapshot) else b"false"),
    ]
    if positions:
        offsets = sorted(snapshot.positions.items())
        headers.append((b"x-counts-position", b",".join(b"%d:%d" % offset for offset in offsets)))
    if snapshot.timers is not None:
        headers.append((b"x-counts-timers", format_instant_exactly(snapshot.timers).encode()))
    if snapshot.as_of is not None:
        # Two machines' clocks differ a little: the contract says "never beyond now", and now is ours.
        headers.append((b"x-counts-as-of", format_instant_exactly(min(snapshot.as_of, now)).encode()))
    return headers
