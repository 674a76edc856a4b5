"""What the stored contributions of a tenant's tickets come to, while tickets change. Pure; judges no contribution."""

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

from service.domain.counting.scopes import Place, places_of
from service.domain.tickets.ticket import Image, Moment

Kind = TypeVar("Kind")


class Contribution(NamedTuple):
    """Where a ticket counts, and as what."""

    places: tuple[Place, ...]
    mask: int
    moments: tuple[Moment, ...]


class Recount:
    """Sums by counter. Each ticket counts as it was last put, however often that was.

    Places and times are shared between tickets, which leaves some 400 bytes a ticket.
    """

    def __init__(self) -> None:
        self._tickets: dict[str, Contribution] = {}
        self._places: dict[Place, Place] = {}
        self._equal: dict[tuple[Moment, ...], tuple[Moment, ...]] = {}
        self._masks = _Sums[int]()
        self._moments = _Sums[Moment]()

    def __len__(self) -> int:
        """How many tickets count anywhere."""
        return len(self._tickets)

    def put(self, ticket: str, image: Image | None) -> None:
        """Takes a ticket as it is now; None: there is none."""
        after = self._contribution(image)
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
        """Those that any ticket counts in."""
        return self._masks.counters() | self._moments.counters()

    def masks(self, counter: str) -> Mapping[str, Mapping[int, int]]:
        """part -> mask -> tickets."""
        return self._masks.of(counter)

    def moments(self, counter: str) -> Mapping[str, Mapping[Moment, int]]:
        """part -> column kept by time and quarter -> tickets."""
        return self._moments.of(counter)

    def _contribution(self, image: Image | None) -> Contribution | None:
        if image is None or image.ticket is None:
            return None
        places = tuple(self._places.setdefault(place, place) for place in places_of(image.ticket))
        return Contribution(places, image.mask, self._equal.setdefault(image.moments, image.moments))

    def _count(self, contribution: Contribution, change: int) -> None:
        for place in contribution.places:
            if contribution.mask:
                self._masks.add(place, contribution.mask, change)
            for moment in contribution.moments:
                self._moments.add(place, moment, change)


class _Sums(Generic[Kind]):
    """counter -> part -> kind -> tickets, without zeros and without empty parts and counters."""

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
