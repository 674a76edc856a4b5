"""A tenant's first tickets are imported beside live events: it is warming until it is said to be whole, then exact."""

import asyncio
import gzip
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.journeys.programs.asking import NotCounted, realm
from tests.journeys.programs.catalogue_lines import CLOSED, Line, deletion, event, saved_filter, tenant
from tests.journeys.programs.system import System, running_system
from tests.servers.kafka.topics import Topics

pytestmark = pytest.mark.usefixtures("apache_kafka")

TICKETS, RATE = 3_000, 1_000
"""Three seconds of import; the last ticket comes when enough live events have come in its middle."""

FEWEST_BESIDE = 5
ENDS_S = 40.0


async def test_a_tenant_is_warming_while_it_is_imported_beside_live_events_and_exact_afterwards(
    system: System, tmp_path: Path
) -> None:
    mine = saved_filter("acme", "f", {"field": "assignee", "op": "eq", "value": "agent-0"})
    await system.publish(realm("helpdesk"), tenant("beside"), loading("acme"), mine)
    await system.settled("beside")
    tickets, held_back = tmp_path / "tickets.ndjson.gz", tmp_path / "held-back.ndjson"
    imported = [
        json.dumps(event("acme", f"INC{number}", 0, assignee=f"agent-{number % 3}")).encode()
        for number in range(TICKETS)
    ]
    tickets.write_bytes(gzip.compress(b"\n".join(imported[1:])))
    os.mkfifo(held_back)  # the import is under way for as long as nobody writes here
    # Before their tickets are imported: a change, a delete, a ticket that no import knows.
    last = f"INC{TICKETS - 1}"
    await system.publish(event("acme", last, 4, status=CLOSED, assignee="agent-0"), deletion("acme", "INC2997", 2))
    await system.publish(event("acme", "new", 1, assignee="agent-0"))
    async with publishing(system, "--rate", str(RATE), "--until-applied", tickets, held_back) as process:
        beside = 0
        while process.returncode is None:
            beside += 1
            await system.publish(event("beside", f"B{beside}", 1))
            # As it may be from the source: changes of what is imported by now, or not yet.
            await system.publish(event("acme", f"INC{3 * beside}", 1, status=CLOSED, assignee="agent-0"))
            assert (await system.settled("beside")).counts == {"all": beside}
            assert await refusal(system) == "COUNTS_WARMING"
            if beside == FEWEST_BESIDE:
                await asyncio.to_thread(held_back.write_bytes, imported[0])
        assert process.stderr is not None
        said = (await process.stderr.read()).decode()
    assert process.returncode == 0, said
    assert f"published {TICKETS:,} events" in said
    assert "all of it is applied" in said
    assert beside >= FEWEST_BESIDE, "events flowed beside the import"
    assert await refusal(system) == "COUNTS_WARMING", "whole only when somebody says so"
    await system.publish(tenant("acme"))
    snapshot = await system.settled("acme", ("all", "f", CLOSED))
    assert snapshot.counts == {"all": TICKETS, "f": TICKETS // 3 + 1, CLOSED: beside + 1}
    assert await system.ends(system.topics.dead_letters) == {0: 0}


def loading(name: str) -> Line:
    """The tenant's entry while its tickets are imported."""
    entry = tenant(name)
    entry["value"]["loading"] = True
    return entry


async def refusal(system: System) -> str:
    """How the service refuses the tenant's counts."""
    with pytest.raises(NotCounted) as refused:
        await system.ask.all_of("acme")
    return refused.value.code


@asynccontextmanager
async def publishing(system: System, *arguments: str | Path) -> AsyncIterator[Process]:
    """`python -m consumers.publish` on the system's servers, under way; it has to end by itself."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "consumers.publish", *arguments), env=os.environ | system.environ(), stderr=PIPE
    )
    try:
        async with asyncio.timeout(ENDS_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.usefixtures("apache_kafka")
async def test_events_published_before_their_catalogue_count_when_the_system_starts_after_both(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_db, topics, tmp_path) as system:
        await system.publish(event("acme", "INC1", 1), event("acme", "INC2", 1))
        await system.publish(tenant("acme"), realm("helpdesk"))
        await system.start()
        assert (await system.settled("acme")).counts == {"all": 2}
        assert await system.ends(topics.dead_letters) == {0: 0}
        await system.stop()
