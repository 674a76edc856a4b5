"""How old unapplied records can be: said by the broker's end offsets, never by silence or by publishers' clocks."""

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from consumers.ingest.freshness import MOST_ENDS, Freshness
from consumers.kafka.fetches import Fetches
from consumers.metrics import ConsumerMetrics
from consumers.types import Goal
from tests.consumers.kafka.kafka_client import TP, FakeConsumer

OTHER = TopicPartition("events", 1)


class Watched:
    """One partition's freshness, and what its metric says."""

    def __init__(self) -> None:
        self.client, self.metrics = FakeConsumer(), ConsumerMetrics()
        fetches = Fetches(self.client, self.client.monotonic_s, self.client.wall_s)
        self.fresh = Freshness(fetches, self.metrics, self.client.monotonic_s, self.client.wall_s)

    def age_s(self, position: int, newest_applied_ms: int | None = None) -> float | None:
        """The most that the oldest record from `position` on can be old."""
        through_s = self.fresh.through_s(TP, position, newest_applied_ms)
        return None if through_s is None else self.client.monotonic - through_s

    def metric_s(self, tp: TopicPartition = TP) -> float:
        name, labels = "ticket_counts_oldest_unapplied_seconds", {"partition": str(tp.partition)}
        value = self.metrics.registry.get_sample_value(name, labels)
        assert value is not None
        return value


@pytest.fixture
def one() -> Watched:
    return Watched()


def test_before_the_first_fetch_nothing_is_known(one: Watched) -> None:
    assert one.age_s(0) is None
    assert one.metric_s() > 5, "which is stale"
    one.client.passes(60)
    assert one.age_s(0) is None
    assert one.metric_s() == 60


def test_at_the_end_of_the_log_the_last_fetch_says_how_fresh(one: Watched) -> None:
    one.client.fetched(10)
    one.client.passes(0.25)
    assert one.age_s(10) == 0.25
    one.client.passes(7)
    assert one.age_s(10) == 7.25, "a broker that is silent is not a log without records"
    one.client.fetched(10)
    assert one.age_s(10) == 0
    assert one.metric_s() == 0


def test_an_empty_partition_is_fresh(one: Watched) -> None:
    one.client.fetched(0)
    assert one.age_s(0) == 0


def test_below_the_end_what_is_missing_is_as_old_as_the_end_is_known(one: Watched) -> None:
    one.client.fetched(10)
    assert one.age_s(10) == 0
    for end in (12, 15, 15):
        one.client.passes(1)
        one.client.fetched(end)
        one.age_s(10)
    assert one.age_s(10) == 3, "10 and 11 may have come right after the first fetch"
    assert one.age_s(11) == 3
    assert one.age_s(12) == 2
    assert one.age_s(14) == 2
    assert one.age_s(15) == 0, "the last fetch said that there is nothing more"


def test_publishers_clocks_have_no_say(one: Watched) -> None:
    one.client.fetched(10)
    assert one.age_s(10) == 0
    one.client.fetched(1_000)
    for _ in range(60):
        one.client.passes(1)
        one.client.fetched(1_000)
        ahead_ms = round(one.client.wall * 1000) + 600_000
        one.age_s(11, ahead_ms)
    assert one.age_s(11, ahead_ms) == 60, "990 records are unread"
    assert one.metric_s() == 60


def test_records_of_an_open_transaction_are_in_the_log(one: Watched) -> None:
    one.client.fetched(10)
    assert one.age_s(10) == 0
    for _ in range(9):
        one.client.passes(1)
        one.client.fetched(15, stable=10)
        one.age_s(10)
    assert one.age_s(10) == 9
    one.client.fetched(16, stable=16)
    assert one.age_s(16) == 0


def test_a_rewind_forgets_what_was_applied(one: Watched) -> None:
    one.client.fetched(10)
    assert one.age_s(10) == 0
    one.fresh.forget()
    assert one.age_s(4) is None
    assert one.metric_s() > 5
    one.client.passes(1)
    assert one.age_s(9) is None
    assert one.age_s(10) == 1, "what the last fetch said of the log's end still holds"


def test_until_the_first_end_is_reached_the_metric_goes_by_the_records(one: Watched) -> None:
    one.client.fetched(100)
    day_ago_ms = round((one.client.wall - 86_400) * 1000)
    assert one.age_s(50, day_ago_ms) is None
    assert one.metric_s() == pytest.approx(86_400, abs=1)
    ahead_ms = round((one.client.wall + 600) * 1000)
    assert one.age_s(60, ahead_ms) is None
    assert one.metric_s() > 5
    assert one.age_s(100, ahead_ms) == 0


def test_a_log_that_ends_earlier_than_before_is_judged_by_its_new_end(one: Watched) -> None:
    one.client.fetched(20)
    assert one.age_s(10) is None
    one.client.passes(1)
    one.client.fetched(10)
    assert one.age_s(10) == 0


def test_partitions_are_judged_each_for_itself(one: Watched) -> None:
    one.client.assigned = {TP, OTHER}
    one.client.fetched(10)
    assert one.age_s(10) == 0
    assert one.fresh.through_s(OTHER, 9) is None
    assert (one.metric_s(), one.metric_s(OTHER) > 5) == (0, True)


def test_a_partition_that_was_taken_away_is_judged_by_what_was_known(one: Watched) -> None:
    one.client.fetched(10)
    assert one.age_s(10) == 0
    one.client.assigned = set()
    one.client.passes(2)
    assert one.age_s(10) == 2


def test_a_long_backlog_takes_no_more_room_and_is_never_called_younger(one: Watched) -> None:
    one.client.fetched(0)
    one.age_s(0)
    began_s = one.client.monotonic
    for end in range(1, 5 * MOST_ENDS):
        one.client.passes(1)
        one.client.fetched(end)
        one.age_s(0)
    assert len(one.fresh._logs[TP].ends) <= MOST_ENDS
    for position in range(1, 5 * MOST_ENDS, 97):
        age_s = one.age_s(position)
        assert age_s is not None
        assert age_s >= one.client.monotonic - began_s - position


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=60))
def test_it_never_understates_the_age_of_what_is_missing(story: list[tuple[int, int, bool]]) -> None:
    """Records arrive, some are applied, now and then there is a fetch; each record's arrival is known here."""
    one, arrived, position = Watched(), list[float](), 0
    for came, applied, fetch in story:
        one.client.passes(1)
        arrived += [one.client.monotonic] * came
        if fetch:
            one.client.fetched(len(arrived))
        position = min(position + applied, one.client.end or 0)
        through_s = one.fresh.through_s(TP, position)
        if through_s is not None:
            assert all(at_s > through_s for at_s in arrived[position:])
            assert through_s <= one.client.monotonic


def test_a_step_that_is_tried_for_long_says_an_older_age(monkeypatch: pytest.MonkeyPatch) -> None:
    goal = Goal(5, 70.0)
    monkeypatch.setattr("consumers.types.time.monotonic", lambda: 130.0)
    assert goal.lag_ms() == 60_000
    assert Goal(5, None).lag_ms() is None
    monkeypatch.setattr("consumers.types.time.monotonic", lambda: 190.0)
    assert goal.lag_ms() == 120_000, "a minute later, at its next try"
