"""What Kafka's client knows of one partition, as a test says. Decides nothing."""

from dataclasses import dataclass, field

from aiokafka import TopicPartition

TP = TopicPartition("events", 0)


@dataclass
class FakeConsumer:
    """A client, and the two clocks that a process has; both stand still unless a test moves them."""

    assigned: set[TopicPartition] = field(default_factory=lambda: {TP})
    stable: int | None = None
    end: int | None = None
    polled_ms: int | None = None
    monotonic: float = 1_000.0
    wall: float = 1_795_000_000.0

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def last_stable_offset(self, tp: TopicPartition) -> int | None:
        return self.stable

    def highwater(self, tp: TopicPartition) -> int | None:
        return self.end

    def last_poll_timestamp(self, tp: TopicPartition) -> int | None:
        return self.polled_ms

    def monotonic_s(self) -> float:
        return self.monotonic

    def wall_s(self) -> float:
        return self.wall

    def passes(self, seconds: float) -> None:
        """Time goes by."""
        self.monotonic += seconds
        self.wall += seconds

    def fetched(self, end: int, stable: int | None = None) -> None:
        """A fetch was answered just now."""
        self.end, self.stable, self.polled_ms = end, end if stable is None else stable, round(self.wall * 1000)
