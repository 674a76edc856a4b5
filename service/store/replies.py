"""Converts replies of Redis and of the scripts into values of the ports. Pure, and knows no key."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from service.domain.counting.plan import Counter
from service.domain.tickets.ticket import Instant
from service.store import codec
from service.store.client.pipelined_connection import Reply
from service.store.ports.errors import StoreUnavailable
from service.store.ports.reading import CountQuery, Snapshot
from service.store.ports.steps import (
    Applied,
    Behind,
    BucketState,
    Conflict,
    DueConflict,
    DueTicket,
    OtherTopic,
    Outcome,
    StaleCatalogue,
    StoredTicket,
)

COUNTERS_REMEMBERED = 4_096
LONGEST_REMEMBERED = 2_048
"""Longest packed counter to cache, in bytes; unpacked it takes ten times that: 80 MB in all at worst, usually 5 MB."""


def outcome(reply: list[Reply]) -> Outcome:
    """Returns the outcome that the apply script reports. Raises StoreUnavailable for an unknown one."""
    kind, *rest = reply
    match kind:
        case b"applied":
            return Applied({codec.text(name): version for name, version in pairs_of(rest[1:])}, rest[0])
        case b"stale":
            return StaleCatalogue(tuple(codec.text(name) for name in rest))
        case b"conflict":
            return Conflict(tuple((codec.text(tenant), codec.text(ticket)) for tenant, ticket in pairs_of(rest)))
        case b"behind":
            return Behind({partition: max(position, 0) for partition, position in pairs_of(rest)})
        case b"due_conflict":
            return DueConflict()
        case b"topic":
            return OtherTopic(codec.text(rest[0]))
    raise StoreUnavailable(f"Redis answered {kind!r} to the apply script")


def pairs_of(flat: Sequence[Reply]) -> Iterator[tuple[Reply, Reply]]:
    """Yields the (name, value) pairs of a flat reply."""
    return zip(flat[::2], flat[1::2], strict=True)


def stored_ticket(packed: bytes) -> StoredTicket:
    """Unpacks a stored ticket; b"" means that it was never written."""
    if not packed:
        return StoredTicket(b"", None)
    return StoredTicket(packed[: codec.REVISION_BYTES], codec.unpack_ticket_state(packed))


def due_ticket(member: str, due_at: Instant) -> DueTicket:
    """Parses a member of the due set."""
    tenant, generation, ticket = member.split(" ", 2)  # only the ticket's id may contain spaces
    return DueTicket(tenant, generation, ticket, due_at)


def bucket_state(flat: Sequence[bytes]) -> BucketState:
    """Parses a bucket's hash."""
    fields = dict(pairs_of(flat))
    positions = {int(name[2:]): int(value) for name, value in fields.items() if name.startswith(b"p:")}
    return BucketState(fields.get(b"topic", b"").decode(), positions, instant_in(fields.get(b"timers", b"")))


def snapshot_in(run: str, query: CountQuery, reply: list[Reply]) -> Snapshot:
    """Returns the snapshot in the snapshot script's reply; `run` is the run of Redis that answered."""
    time_of_day, flat, version, as_of, everyone, counters, timed = reply
    columns = codec.unpack_columns(everyone)
    beyond = len(columns)
    now_ms = int(time_of_day[0]) * 1000 + int(time_of_day[1]) // 1000
    state = _state_in(tuple(flat))
    return Snapshot(
        epoch=epoch_in(run, state.epoch, query.generation),
        version=int(version),
        positions=state.positions,
        lags_ms={partition: max(0, now_ms - at_ms) for partition, at_ms in state.fresh_at_ms.items()},
        timers=state.timers,
        as_of=instant_in(as_of),
        # Lists, because generators would double the cost here.
        columns=tuple([columns[column] if column < beyond else 0 for column in query.columns]),
        counters=tuple([_counter_in(value, query.columns_mask) if value else {} for value in counters]),
        timed=tuple(timed),
    )


def _counter_in(packed: bytes, columns_mask: int) -> Counter:
    if len(packed) > LONGEST_REMEMBERED:
        return codec.unpack_counter(packed, columns_mask)
    return _remembered(packed, columns_mask)


@lru_cache(maxsize=COUNTERS_REMEMBERED)
def _remembered(packed: bytes, columns_mask: int) -> Counter:
    """Unpacks a person's or a team's counter. Cached, because its viewers mostly read it unchanged."""
    return codec.unpack_counter(packed, columns_mask)


class _State(NamedTuple):
    """The fields of a bucket's hash that readers need."""

    epoch: str
    positions: Mapping[int, int]
    fresh_at_ms: Mapping[int, int]
    """Per partition, the server time in ms until which everything was applied."""
    timers: Instant | None


@lru_cache(maxsize=1024)  # all viewers of a bucket read it; it changes with each step
def _state_in(flat: tuple[bytes, ...]) -> _State:
    fields = dict(pairs_of(flat))
    positions, fresh_at_ms = {}, {}
    for name, value in fields.items():
        if name.startswith(b"p:"):
            positions[int(name[2:])] = int(value)
        elif name.startswith(b"f:"):
            fresh_at_ms[int(name[2:])] = int(value)
    return _State(
        fields.get(b"epoch", b"").decode(),
        MappingProxyType(dict(sorted(positions.items()))),
        fresh_at_ms,
        instant_in(fields.get(b"timers", b"")),
    )


def instant_in(value: bytes) -> Instant | None:
    """Parses a stored instant; b"" means none."""
    return int(value) if value else None


def info_field(text: str, name: str) -> str:
    """Returns one field of an INFO reply, "0" when it is missing."""
    return next((line.partition(":")[2] for line in text.splitlines() if line.startswith(name + ":")), "0")


@lru_cache(maxsize=4096)  # one per tenant and run
def epoch_in(run: str, minted: str, generation: str) -> str:
    """Returns the epoch; it changes after a rewind (`minted`), a rebuild (`generation`), and with each run of Redis.

    A new run may have lost acknowledged writes, and readers can't wait until a consumer has found out.
    """
    return hashlib.blake2b(f"{run}/{minted}/{generation}".encode(), digest_size=8).hexdigest()
