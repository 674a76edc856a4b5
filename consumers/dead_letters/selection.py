"""Which dead letters are meant: every condition given must hold. Pure."""

import msgspec

from consumers.dead_letters.letter import ReadLetter, whose_letter
from service.domain.tickets.ticket import Instant


class Offsets(msgspec.Struct, frozen=True):
    """A range of offsets, both ends included; `last` None: to the end."""

    first: int
    last: int | None

    def __contains__(self, offset: int) -> bool:
        return self.first <= offset and (self.last is None or offset <= self.last)


class Selection(msgspec.Struct, frozen=True):
    """Conditions on letters; what is None is not asked. Partition and offsets are those where the record was read."""

    tenant: str | None = None
    reason: str | None = None
    """A part of the reason, in whatever letter case."""
    topic: str | None = None
    partition: int | None = None
    offsets: Offsets | None = None
    since: Instant | None = None
    until: Instant | None = None
    """Times are Kafka's of the record; `until` itself is not included."""

    def takes(self, letter: ReadLetter, catalogue_topic: str) -> bool:
        """Whether this letter is meant."""
        origin, at = letter.origin, letter.timestamp_ms * 1_000
        return (
            (self.topic is None or origin.topic == self.topic)
            and (self.partition is None or origin.partition == self.partition)
            and (self.offsets is None or origin.offset in self.offsets)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
            and (self.reason is None or self.reason.casefold() in letter.reason.casefold())
            and (self.tenant is None or self.tenant == whose_letter(letter, catalogue_topic).tenant)
        )
