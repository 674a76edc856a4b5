"""What health is told of fetches and transactions. By the monotonic clock alone."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from consumers.kafka.fetches import Fetches
from consumers.ops import health as health_module
from consumers.ops.health import LATEST_S, Health
from consumers.ops.liveness import Liveness
from tests.consumers.kafka.kafka_client import TP, FakeConsumer

CATALOGUE = TopicPartition("catalogue", 0)


class Beating:
    """A consumer's pulse with two clients, and a health that goes by the same clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events, self.catalogue = FakeConsumer(), FakeConsumer({CATALOGUE})
        monkeypatch.setattr(health_module, "time", SimpleNamespace(monotonic=self.events.monotonic_s))
        self.health = Health()
        readable = asyncio.Event()
        readable.set()
        reader: Any = SimpleNamespace(readable=readable)
        assignment: Any = SimpleNamespace(ready={TP}, waiting=set())
        clients = [Fetches(one, one.monotonic_s, one.wall_s) for one in (self.events, self.catalogue)]
        self.pulse = Liveness(self.health, reader, assignment, clients[0], clients[1], CATALOGUE)

    def beats(self, seconds: float) -> str:
        """Half a second at a time; why it isn't ready in the end."""
        for _ in range(round(seconds * 2)):
            self.events.passes(0.5)
            self.catalogue.passes(0.5)
            self.health.stored()
            self.pulse.beat(self.events.monotonic)
        return self.health.unready()


@pytest.fixture
def beating(monkeypatch: pytest.MonkeyPatch) -> Beating:
    made = Beating(monkeypatch)
    made.events.fetched(10)
    made.catalogue.fetched(3)
    assert made.beats(0.5) == ""
    return made


def test_a_broker_that_is_silent_is_said_whatever_becomes_of_the_wall_clock(beating: Beating) -> None:
    beating.events.wall -= 3_600
    beating.catalogue.wall -= 3_600
    assert "successful fetch from Kafka was" in beating.beats(LATEST_S + 1)
    beating.events.fetched(10)
    beating.catalogue.fetched(3)
    assert beating.beats(0.5) == ""


def test_a_wall_clock_that_jumps_ahead_is_no_silence(beating: Beating) -> None:
    beating.events.wall += 3_600
    beating.catalogue.wall += 3_600
    assert beating.beats(1) == ""


@pytest.mark.parametrize("where", ["events", "catalogue"])
def test_a_transaction_that_stays_open_is_named(beating: Beating, where: str) -> None:
    client = getattr(beating, where)
    for _ in range(30):
        beating.events.fetched(10)
        beating.catalogue.fetched(3)
        client.fetched(15, stable=12)
        found = beating.beats(0.5)
    assert f"{where} partition 0 from offset 12 on" in found
    client.fetched(16)
    assert beating.beats(0.5) == ""


def test_transactions_that_come_and_go_are_none_that_stays_open(beating: Beating) -> None:
    for number in range(40):
        beating.events.fetched(20 + number, stable=12 + number)
        beating.catalogue.fetched(3)
        assert beating.beats(0.5) == ""
