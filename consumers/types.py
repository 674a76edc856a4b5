"""Values that the consumers' modules pass to each other. Contains no logic, and knows no Kafka client."""

import math
import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol, TypeAlias

import msgspec

from service.domain.tickets.event import TicketEvent
from service.store.ports.catalogue import Position

Note = Callable[[str, str], None]
"""Reports the error that a part of the consumer retries: (part, error), with "" once the part works again."""


class RecordBytes(Protocol):
    """The content of a Kafka record, without topic and offset. aiokafka's ConsumerRecord implements it."""

    @property
    def key(self) -> bytes | None:
        """The original key."""

    @property
    def value(self) -> bytes | None:
        """The original value."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """The original headers; bytes of a name that aren't UTF-8 are surrogates."""

    @property
    def timestamp(self) -> int:
        """Kafka's timestamp of the record, in milliseconds."""


class Letter(RecordBytes, Protocol):
    """A Kafka record with the topic, partition and offset that it was read from."""

    @property
    def topic(self) -> str:
        """The topic."""

    @property
    def partition(self) -> int:
        """The partition."""

    @property
    def offset(self) -> int:
        """The offset."""


Place: TypeAlias = tuple[str, int, int]
"""Topic, partition and offset of a record."""


class Parking(Protocol):
    """The dead-letter sender, as the engine sees it: without the Kafka producer."""

    def good(self, records: int = 1) -> None:
        """Counts records that are no dead letters, for the flood guard."""

    async def park(self, letter: Letter, reason: str) -> Place:
        """Sends a dead letter. It is safe once `has` or `acknowledged` confirms the returned place. Raises Flood."""

    def has(self, places: Collection[Place]) -> bool:
        """Returns whether the broker has acknowledged the dead letters of all these places."""

    async def acknowledged(self, places: Collection[Place]) -> None:
        """Waits until the broker has acknowledged the dead letters of all these places. Raises when one failed."""

    def close(self) -> None:
        """Stops sending."""


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A decoded event and the record it came from."""

    partition: int
    offset: Position
    event: TicketEvent
    letter: Letter


class Goal(msgspec.Struct, frozen=True):
    """The position that a step stores for a partition.

    `through_s` is an instant of the monotonic clock: every record that was in the log then is below the position. None
    when no such instant is known.
    """

    position: Position
    through_s: float | None

    def lag_ms(self) -> int | None:
        """Upper bound of the age of the oldest record above the position, now: a step may be retried for minutes."""
        return None if self.through_s is None else math.ceil((time.monotonic() - self.through_s) * 1000)
