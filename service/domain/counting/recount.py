"""Adds up the stored contributions of a tenant's tickets, while tickets change. Pure; never evaluates a ticket."""

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

from service.domain.counting.scopes import Place, places_of
from service.domain.tickets.ticket import TicketState, TimeBucket

Kind = TypeVar("Kind")


class Contribution(NamedTuple):
    """The places of a ticket, its mask and its time buckets."""

    places: tuple[Place, ...]
    mask: int
    time_buckets: tuple[TimeBucket, ...]


class Recount:
    """Sums by counter. Each ticket counts with the state of its last `put`.

    Equal places and time buckets are stored once, which leaves some 400 bytes per ticket.
    """

    def __init__(self) -> None:
        self._tickets: dict[str, Contribution] = {}
        self._places: dict[Place, Place] = {}
        self._equal: dict[tuple[TimeBucket, ...], tuple[TimeBucket, ...]] = {}
        self._masks = _TicketSums[int]()
        self._time_buckets = _TicketSums[TimeBucket]()

    def __len__(self) -> int:
        """The number of tickets that count anywhere."""
        return len(self._tickets)

    def put(self, ticket: str, ticket_state: TicketState | None) -> None:
        """Replaces the state of a ticket. None means that the ticket doesn't exist."""
        after = self._contribution(ticket_state)
        before = self._tickets.get(ticket)
        if before == after:
            return
        if before is not None:
            del self._tickets[ticket]
            self._count(before, -1)
        if after is not None:
            self._tickets[ticket] = after
            self._count(after, 1)

    def counters(self) -> set[str]:
        """Returns the counters that any ticket counts in."""
        return self._masks.counters() | self._time_buckets.counters()

    def masks(self, counter: str) -> Mapping[str, Mapping[int, int]]:
        """Returns part -> mask -> number of tickets."""
        return self._masks.of(counter)

    def time_buckets(self, counter: str) -> Mapping[str, Mapping[TimeBucket, int]]:
        """Returns part -> time bucket -> number of tickets."""
        return self._time_buckets.of(counter)

    def _contribution(self, ticket_state: TicketState | None) -> Contribution | None:
        if ticket_state is None or ticket_state.ticket is None:
            return None
        places = tuple(self._places.setdefault(place, place) for place in places_of(ticket_state.ticket))
        return Contribution(
            places, ticket_state.mask, self._equal.setdefault(ticket_state.time_buckets, ticket_state.time_buckets)
        )

    def _count(self, contribution: Contribution, change: int) -> None:
        for place in contribution.places:
            if contribution.mask:
                self._masks.add(place, contribution.mask, change)
            for time_bucket in contribution.time_buckets:
                self._time_buckets.add(place, time_bucket, change)


class _TicketSums(Generic[Kind]):
    """counter -> part -> mask or time bucket -> number of tickets, without zeros, empty parts and empty counters."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, dict[Kind, int]]] = {}

    def counters(self) -> set[str]:
        return set(self._sums)

    def of(self, counter: str) -> Mapping[str, Mapping[Kind, int]]:
        return self._sums.get(counter, {})

    def add(self, place: Place, kind: Kind, change: int) -> None:
        counter, part = place
        parts = self._sums.setdefault(counter, {})
        kinds = parts.setdefault(part, {})
        tickets = kinds.get(kind, 0) + change
        if tickets:
            kinds[kind] = tickets
            return
        del kinds[kind]
        if not kinds:
            del parts[part]
        if not parts:
            del self._sums[counter]
