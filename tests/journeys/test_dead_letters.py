"""A cause is mended and its dead letters are sent again: then they are counted, and what came later stays."""

import asyncio
import os
import sys

from tests.journeys.asking import realm
from tests.journeys.catalogue_lines import CLOSED, OPEN, event, tenant
from tests.journeys.system import System
from tests.waiting import wait_until


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
