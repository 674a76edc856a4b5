"""How old unapplied records can be: said by fetches that succeeded, never by silence."""

from dataclasses import dataclass, field

from aiokafka import TopicPartition

from consumers.freshness import Freshness
from consumers.metrics import Metrics
from tests.pipeline import SetClock

TP = TopicPartition("events", 0)
START_MS = 1_795_000_000_000


@dataclass
class FakeConsumer:
    """What Kafka's client knows of one partition."""

    assigned: set[TopicPartition] = field(default_factory=lambda: {TP})
    stable: int | None = None
    high: int | None = None
    polled_ms: int | None = None

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def last_stable_offset(self, tp: TopicPartition) -> int | None:
        return self.stable

    def highwater(self, tp: TopicPartition) -> int | None:
        return self.high

    def last_poll_timestamp(self, tp: TopicPartition) -> int | None:
        return self.polled_ms


def freshness() -> tuple[Freshness, FakeConsumer, SetClock]:
    consumer, clock = FakeConsumer(), SetClock(START_MS * 1000)
    return Freshness(consumer, clock, Metrics()), consumer, clock


def test_before_the_first_fetch_nothing_is_fresh() -> None:
    fresh, _, _ = freshness()
    assert fresh.lag_ms(TP, 0, None) == START_MS


def test_at_the_end_of_the_log_the_last_fetch_says_how_fresh() -> None:
    fresh, consumer, clock = freshness()
    consumer.stable, consumer.polled_ms = 10, START_MS - 200
    assert fresh.lag_ms(TP, 10, None) == 200
    clock.now += 7_000_000
    assert fresh.lag_ms(TP, 10, None) == 7_200, "a broker that is silent is not a log without records"
    consumer.polled_ms = START_MS + 7_000
    assert fresh.lag_ms(TP, 10, None) == 0


def test_below_the_end_the_newest_applied_record_says_how_fresh() -> None:
    fresh, consumer, _ = freshness()
    consumer.stable, consumer.polled_ms = 11, START_MS
    assert fresh.lag_ms(TP, 10, START_MS - 30_000) == 30_000
    assert fresh.lag_ms(TP, 11, START_MS - 29_000) == 0


def test_an_empty_partition_is_fresh() -> None:
    fresh, consumer, _ = freshness()
    consumer.stable, consumer.polled_ms = 0, START_MS
    assert fresh.lag_ms(TP, 0, None) == 0


def test_what_was_fresh_never_becomes_older_than_it_is() -> None:
    fresh, consumer, clock = freshness()
    consumer.stable, consumer.polled_ms = 10, START_MS
    assert fresh.lag_ms(TP, 10, None) == 0
    clock.now += 1_000_000
    assert fresh.lag_ms(TP, 9, START_MS - 60_000) == 1_000, "an old record read again"
    consumer.stable = 12
    assert fresh.lag_ms(TP, 10, None) == 1_000


def test_records_from_the_future_are_not_fresher_than_now() -> None:
    fresh, consumer, clock = freshness()
    consumer.stable = 99
    assert fresh.lag_ms(TP, 5, START_MS + 3_600_000) == 0
    clock.now += 2_000_000
    assert fresh.lag_ms(TP, 6, None) == 2_000


def test_an_open_transaction_is_no_record_yet_and_without_its_offset_the_highwater_counts() -> None:
    fresh, consumer, _ = freshness()
    consumer.stable, consumer.high, consumer.polled_ms = 10, 15, START_MS - 5
    assert fresh.lag_ms(TP, 10, None) == 5
    for unknown in (None, -1):
        other, client, _ = freshness()
        client.stable, client.high, client.polled_ms = unknown, 15, START_MS - 5
        assert other.lag_ms(TP, 10, None) == START_MS
        assert other.lag_ms(TP, 15, None) == 5


def test_a_partition_that_was_taken_away_is_judged_by_what_was_applied() -> None:
    fresh, consumer, _ = freshness()
    consumer.assigned, consumer.stable, consumer.polled_ms = set(), 10, START_MS
    assert fresh.lag_ms(TP, 10, START_MS - 700) == 700


def test_partitions_are_judged_each_for_itself_and_measured() -> None:
    consumer, clock, metrics = FakeConsumer(), SetClock(START_MS * 1000), Metrics()
    fresh, other = Freshness(consumer, clock, metrics), TopicPartition("events", 1)
    assert (fresh.lag_ms(TP, 5, START_MS - 10), fresh.lag_ms(other, 5, START_MS - 90)) == (10, 90)
    said = {
        partition: metrics.registry.get_sample_value("ticket_counts_oldest_unapplied_ms", {"partition": partition})
        for partition in "01"
    }
    assert said == {"0": 10, "1": 90}
