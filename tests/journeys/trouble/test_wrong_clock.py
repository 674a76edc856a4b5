"""A consumer whose machine's clock is a day ahead: nothing is counted a day early, then or later."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.journeys.programs.asking import realm
from tests.journeys.programs.catalogue_lines import event, tenant
from tests.journeys.programs.system import running_system
from tests.servers.kafka.topics import Topics

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

A_DAY_AHEAD = """
import time
right = time.time_ns
time.time_ns = lambda: right() + 86_400 * 10**9
"""


async def test_deadlines_of_tomorrow_are_not_counted_today(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "sitecustomize.py").write_text(A_DAY_AHEAD)
    in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    async with running_system(kafka, redis_db, topics, tmp_path, PARTITIONS=1) as system:
        with monkeypatch.context() as patch:
            patch.setenv("PYTHONPATH", str(tmp_path / "wrong"), prepend=os.pathsep)
            wrong = await system.start_consumer()
        await system.start_service()
        await system.publish(realm("helpdesk"), tenant("acme"), event("acme", "INC1", 1, dueAt=in_an_hour))
        answer = await system.settled("acme")
        assert answer.summary["overdue"] == 0
        assert answer.timers_us <= time.time_ns() // 1000
        assert wrong.metric("clock_ahead_seconds") > 86_000, "the clock was wrong indeed"
        await system.start_consumer()
        await system.publish(event("acme", "INC2", 1, dueAt=in_an_hour))
        answer = await system.settled("acme")
        assert (answer.counts, answer.summary["overdue"]) == ({"all": 2}, 0)
        assert answer.timers_us <= time.time_ns() // 1000
        await system.stop()
