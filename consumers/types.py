"""Values that the consumers' parts hand to each other. Does nothing, and knows no Kafka client."""

import math
import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol, TypeAlias

import msgspec

from service.domain.tickets.event import TicketEvent
from service.store.ports.catalogue import Position

Note = Callable[[str, str], None]
"""Takes a part and the cause of its trouble; "" once it is well."""


class RecordBytes(Protocol):
    """A record without its place; aiokafka's ConsumerRecord is one."""

    @property
    def key(self) -> bytes | None:
        """As it was written."""

    @property
    def value(self) -> bytes | None:
        """As it was written."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """As they were written; a name that isn't UTF-8 has surrogates."""

    @property
    def timestamp(self) -> int:
        """Kafka's, in milliseconds."""


class Letter(RecordBytes, Protocol):
    """A record as it was read."""

    @property
    def topic(self) -> str:
        """Where it was read."""

    @property
    def partition(self) -> int:
        """Where it was read."""

    @property
    def offset(self) -> int:
        """Where it was read."""


Place: TypeAlias = tuple[str, int, int]
"""Topic, partition and offset of a record."""


class Parking(Protocol):
    """What applies events needs of the dead letters, which are sent by a Kafka client."""

    def good(self, records: int = 1) -> None:
        """So many records were fine."""

    async def park(self, letter: Letter, reason: str) -> Place:
        """Sends a letter; it is safe only once `has` or `acknowledged` says so of its place. Raises Flood."""

    def has(self, places: Collection[Place]) -> bool:
        """Whether all letters with these places are with the broker."""

    async def acknowledged(self, places: Collection[Place]) -> None:
        """Waits until all letters with these places are with the broker, and raises where one isn't."""

    def close(self) -> None:
        """Stops sending."""


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A decoded event and the record it came from."""

    partition: int
    offset: Position
    event: TicketEvent
    letter: Letter


class Goal(msgspec.Struct, frozen=True):
    """Where a partition stands once the step is done.

    `through_s` is an instant of the monotonic clock: everything that was in the log then is below the position. None
    where nothing is known of that.
    """

    position: Position
    through_s: float | None

    def lag_ms(self) -> int | None:
        """The most that the oldest record above the position can be old now. A step may be tried for minutes."""
        return None if self.through_s is None else math.ceil((time.monotonic() - self.through_s) * 1000)
