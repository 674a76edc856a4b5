"""What fault tests share: how soon a dead consumer is missed."""

import pytest

from tests.servers.choice import Choice


@pytest.fixture
def session_s(kafka_choice: Choice) -> float:
    """The shortest session that the run's Kafka lets consumers have: our own brokers take less than the usual 6 s."""
    return 2.0 if kafka_choice.way in ("process", "container") else 6.0
