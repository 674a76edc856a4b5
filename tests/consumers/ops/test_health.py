"""What /readyz says: the cause that there is, and none that isn't."""

import time

import pytest
from aiokafka.errors import TopicAuthorizationFailedError

from consumers.errors import Incurable
from consumers.ops.health import LATEST_S, Health
from consumers.retrying import Retrying
from service.store.ports.errors import StoreUnavailable


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that `time.monotonic` gives, in its only element."""
    now = [1_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def working(health: Health) -> None:
    """All is as it should be now."""
    health.catalogue_read = True
    health.alive()
    health.fetched(0.0)
    health.stored()


def test_what_has_not_happened_yet_is_said_with_the_error_that_keeps_it(clock: list[float]) -> None:
    health = Health()
    working(health)
    health._stored_at = None
    assert health.unready() == "no successful write to Redis yet"
    health.trouble("events", "Kafka: UnknownError: broken")
    clock[0] += 3
    said = health.unready()
    assert said == "events has been trying again for 3 s after: Kafka: UnknownError: broken"
    assert "Redis" not in said


def test_trouble_that_lasts_is_said_though_everything_else_works_and_what_passes_is_not(clock: list[float]) -> None:
    health = Health()
    working(health)
    health.trouble("catalogue", "Kafka: KafkaConnectionError")
    assert health.unready() == ""
    clock[0] += LATEST_S + 1
    working(health)
    assert health.unready() == "catalogue has been trying again for 9 s after: Kafka: KafkaConnectionError"
    health.trouble("catalogue", "")
    assert health.unready() == ""


async def test_a_part_notes_its_trouble_once_and_takes_it_back() -> None:
    noted: list[tuple[str, str]] = []
    retrying = Retrying("events", lambda part, cause: noted.append((part, cause)))
    retrying.succeeded()
    assert noted == [], "it always was"
    await retrying.pause(StoreUnavailable("Redis: away"))
    retrying.succeeded()
    retrying.succeeded()
    assert noted == [("events", "Redis: away"), ("events", "")]


async def test_a_part_does_not_wait_for_what_no_retry_cures() -> None:
    retrying = Retrying("events")
    with pytest.raises(Incurable, match="TopicAuthorizationFailedError"):
        await retrying.pause(TopicAuthorizationFailedError("ticket-events"))
