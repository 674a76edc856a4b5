"""When partitions were last fetched: by no clock that anybody can set."""

import pytest

from consumers.kafka.fetches import Fetch, Fetches
from tests.consumers.kafka.kafka_client import TP, FakeConsumer


@pytest.fixture
def client() -> FakeConsumer:
    return FakeConsumer()


@pytest.fixture
def fetches(client: FakeConsumer) -> Fetches:
    return Fetches(client, client.monotonic_s, client.wall_s)


def test_a_fetch_is_dated_by_how_long_ago_it_was(client: FakeConsumer, fetches: Fetches) -> None:
    assert fetches.last(TP) is None
    client.fetched(7, 5)
    client.passes(0.5)
    assert fetches.last(TP) == Fetch(1_000.0, 7, 5)
    client.passes(60)
    assert fetches.last(TP) == Fetch(1_000.0, 7, 5), "a broker that is silent is no fetch"


@pytest.mark.parametrize("unknown", [None, -1])
def test_without_a_last_stable_offset_the_end_is_stable(
    client: FakeConsumer, fetches: Fetches, unknown: int | None
) -> None:
    client.fetched(7)
    client.stable = unknown
    assert fetches.last(TP) == Fetch(1_000.0, 7, 7)


@pytest.mark.parametrize("step_s", [-3_600.0, 3_600.0])
def test_a_wall_clock_that_is_set_changes_no_age_by_more_than_a_look(
    client: FakeConsumer, fetches: Fetches, step_s: float
) -> None:
    client.fetched(7)
    assert fetches.last(TP) == Fetch(1_000.0, 7, 7)
    client.wall += step_s
    client.passes(30)
    assert fetches.last(TP) == Fetch(1_000.0, 7, 7)
    client.passes(0.25)
    client.fetched(8)
    client.wall -= step_s
    client.passes(0.25)
    found = fetches.last(TP)
    assert found is not None
    assert 1_030.0 <= found.at_s <= 1_030.5


def test_a_partition_that_is_given_again_has_no_fetch_of_before(client: FakeConsumer, fetches: Fetches) -> None:
    client.fetched(7)
    assert fetches.last(TP) is not None
    client.assigned = set()
    assert fetches.last(TP) is None
    client.assigned, client.polled_ms = {TP}, None
    assert fetches.last(TP) is None
