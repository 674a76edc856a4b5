"""A cause is mended and its dead letters are sent again: then they are counted, and what came later stays."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.programs.asking import realm
from tests.journeys.programs.catalogue_lines import CLOSED, OPEN, event, tenant
from tests.journeys.programs.system import System
from tests.support.waiting import wait_until


@pytest.mark.exhaustive
async def test_events_of_a_tenant_that_came_late_are_counted_once_they_are_replayed(system: System) -> None:
    await system.publish(realm("helpdesk"), event("late", "INC1", 1), event("late", "INC2", 1))

    async def parked() -> bool:
        return system.consumers[0].metric("dead_letters_total") == 2

    await wait_until(parked, 10.0, "the dead letters")
    await system.publish(tenant("late"), event("late", "INC2", 2, status=CLOSED))
    assert (await system.settled("late", ("all", OPEN, CLOSED))).counts == {"all": 1, OPEN: 0, CLOSED: 1}
    environ = os.environ | system.topics.environ() | {"TICKET_COUNTS_KAFKA": system.kafka}
    command = ("-m", "consumers.dead_letters", "replay", "--tenant", "late", "--reason", "no tenant late")
    program = await asyncio.create_subprocess_exec(sys.executable, *command, env=environ)
    async with asyncio.timeout(30):
        assert await program.wait() == 0
    assert (await system.settled("late", ("all", OPEN, CLOSED))).counts == {"all": 2, OPEN: 1, CLOSED: 1}
    assert system.consumers[0].metric("dead_letters_total") == 2


async def publish_file(system: System, path: Path, *lines: dict[str, Any]) -> tuple[int | None, str]:
    """Status and stderr of `consumers.publish --until-applied`."""
    await asyncio.to_thread(path.write_text, "\n".join(map(json.dumps, lines)))
    command = ("-m", "consumers.publish", "--until-applied", str(path))
    environ = os.environ | system.environ()
    program = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=environ, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        _, said = await program.communicate()
    return program.returncode, said.decode()


async def test_a_publisher_that_waits_says_how_many_became_dead_letters_and_why(system: System, tmp_path: Path) -> None:
    file = tmp_path / "lines.ndjson"
    await system.publish(realm("helpdesk"), tenant("acme"), event("nobody", "INC0", 1))
    bad = [event("acme", f"INC{number}", 1, status="") for number in range(3)]
    status, said = await publish_file(system, file, *bad, event("nobody", "INC9", 1), event("acme", "INC9", 1))
    assert status == 1
    assert "all of it is applied" not in said
    assert "  3 × data.status: missing\n  1 × tenantid: no tenant nobody in the catalogue\n4 of them could not" in said

    status, said = await publish_file(system, file, {"kind": "filter", "value": {"id": "f", "tenant": "acme"}})
    assert (status, "  1 × name: missing\n1 of them could not" in said) == (1, True)
    status, said = await publish_file(system, file, tenant("acme"), event("acme", "INC8", 1))
    assert (status, "all of it is applied" in said) == (0, True)
