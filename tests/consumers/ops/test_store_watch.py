"""What is said of a Redis that keeps nothing on disk, and of one that doesn't tell."""

import math
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers.metrics import ConsumerMetrics
from consumers.ops.health import Health
from consumers.ops.store_watch import StoreWatch
from service.store.redis.server_status import ServerStatus

UNKNOWN = "Redis doesn't tell whether it keeps anything on disk"
NOTHING_KEPT = "Redis keeps nothing on disk"


class Watching:
    """A watch that is told what Redis says."""

    def __init__(self) -> None:
        self.metrics = ConsumerMetrics()
        store: Any = type("Store", (), {"unable": None, "paused": ""})()
        self.watch = StoreWatch(store, Health(), self.metrics)

    def sees(self, *persistent: bool | None) -> list[str]:
        """The warnings while these are found one after another."""
        with capture_logs() as lines:
            for number, found in enumerate(persistent):
                self.watch.take(ServerStatus(10, 0, "noeviction", 0, found), float(number))
        return [line["event"] for line in lines if line["log_level"] == "warning"]

    def metric(self, name: str) -> float:
        value = self.metrics.registry.get_sample_value(f"ticket_counts_{name}")
        assert value is not None
        return value


@pytest.fixture
def watching() -> Watching:
    return Watching()


def test_before_the_first_look_nothing_is_known_and_nothing_is_wrong(watching: Watching) -> None:
    assert math.isnan(watching.metric("redis_persistent"))
    assert watching.metric("redis_persistence_unknown") == 0


def test_what_redis_does_not_tell_is_a_state_of_its_own_and_said_once(watching: Watching) -> None:
    (warning,) = watching.sees(None, None, True, None, None)
    assert warning.startswith(UNKNOWN)
    assert math.isnan(watching.metric("redis_persistent")), "neither kept nor lost"
    assert watching.metric("redis_persistence_unknown") == 1
    assert watching.sees(True) == []
    assert (watching.metric("redis_persistent"), watching.metric("redis_persistence_unknown")) == (1, 0)


def test_a_redis_that_keeps_nothing_is_said_each_time_it_begins_to(watching: Watching) -> None:
    warnings = watching.sees(False, False, True, False)
    assert len(warnings) == 2
    assert all(warning.startswith(NOTHING_KEPT) for warning in warnings)
    assert (watching.metric("redis_persistent"), watching.metric("redis_persistence_unknown")) == (0, 0)
