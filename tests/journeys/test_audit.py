"""`python -m consumers.audit` beside a running system: what is wrong is found and put right, and nothing else."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
import redis

from service.domain.counting.scopes import EVERYONE
from service.store import keys
from tests.journeys.programs.asking import realm
from tests.journeys.programs.catalogue_lines import OPEN, event, tenant
from tests.journeys.programs.rebuild_program import Rebuild
from tests.journeys.programs.system import System
from tests.servers.ports import free_port
from tests.support.waiting import wait_until

FLOWS_WITHIN_S = 60.0
"""Time for a few events on the busiest machine."""

TICKETS = 400


async def command(system: System, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Status, stdout and stderr of the command."""
    environ = os.environ | system.topics.environ() | {"TICKET_COUNTS_KAFKA": system.kafka}
    environ |= {"TICKET_COUNTS_REDIS": system.redis, **settings}
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "consumers.audit",
        *arguments,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(40):
        out, errors = await program.communicate()
    assert program.returncode is not None
    return program.returncode, out.decode(), errors.decode()


STRAY_HAND = """
local packed = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], struct.pack('<i8', struct.unpack('<i8', packed) + 1) .. string.sub(packed, 9))
"""


def spoil(system: System, name: str) -> None:
    """One too many in the first column of all tickets, as a stray hand or a broken disk might leave it."""
    with redis.Redis.from_url(system.redis) as client:
        bucket = keys.bucket_of(name, 64)
        generation = client.hget(keys.tenant(bucket, name), "generation")
        assert isinstance(generation, bytes)
        client.eval(STRAY_HAND, 1, keys.counter(bucket, name, generation.decode(), EVERYONE))


@pytest.mark.exhaustive
async def test_an_audit_and_a_rebuild_of_one_tenant_at_once_do_each_other_no_harm(
    system: System, tmp_path: Path
) -> None:
    await system.publish(realm("helpdesk"), tenant("acme"))
    await system.publish_all(event("acme", f"INC{n}", 1, assignee=f"u{n % 9}") for n in range(TICKETS))
    await system.settled("acme")
    audits = 0
    for sequence in range(2, 5):
        rebuild = asyncio.create_task(Rebuild(system, tmp_path, "--tenant", "acme").run())
        while not rebuild.done():
            await system.publish(*(event("acme", f"INC{n}", sequence, team="network") for n in range(50)))
            status, found, errors = await command(system, "--tenant", "acme", "--repair")
            # Where the generation was swapped under it again and again, it proves nothing; but it accuses nobody.
            assert (status, found) in ((0, ""), (3, "")), errors
            audits += 1
        status, said = await rebuild
        assert (status, "swapped at version" in said) == (0, True), said
    assert audits >= 3
    assert (await system.settled("acme")).counts == {"all": TICKETS}
    assert (await command(system))[:2] == (0, "")


async def test_drift_is_found_and_repaired_while_events_flow(system: System) -> None:
    await system.publish(realm("helpdesk"), tenant("acme"), tenant("globex"))
    await system.publish_all(event("acme", f"INC{n}", 1, assignee=f"u{n % 9}") for n in range(TICKETS))
    await system.settled("acme")
    stop = asyncio.Event()
    published = 0

    async def flow() -> None:
        nonlocal published
        while not stop.is_set():
            published += 1
            await system.publish(*(event("acme", f"INC{n}", 1 + published, team="network") for n in range(50)))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(flow())
        status, out, errors = await command(system)
        assert (status, out) == (0, ""), errors
        assert "audited 2 tenants" in errors
        spoil(system, "acme")
        status, out, errors = await command(system, "--tenant", "acme")
        assert (status, len(out.splitlines())) == (1, 1), errors
        assert out.startswith("acme: counter *, cell 0: ")
        status, out, errors = await command(system, "--repair")
        assert (status, len(out.splitlines())) == (1, 1), errors
        assert "1 things wrong, all repaired" in errors
        assert (await command(system))[0] == 0
        await wait_until(lambda: published > 3, FLOWS_WITHIN_S, "events to flow")
        stop.set()
    assert published > 3, "events have to flow meanwhile"
    assert (await system.settled("acme", ("all", OPEN))).counts == {"all": TICKETS, OPEN: TICKETS}


async def test_a_consumer_audits_by_itself_when_told_to(system: System) -> None:
    await system.publish(realm("helpdesk"), tenant("acme"), event("acme", "INC1", 1))
    await system.settled("acme")
    await asyncio.to_thread(system.consumers[0].terminate)
    consumer = await system.start_consumer(AUDIT_EVERY_S=0.2)
    spoil(system, "acme")

    async def found() -> bool:
        return consumer.metric("audit_drift_cells") == 1

    await wait_until(found, 20.0, "the drift to be measured")
    assert consumer.metric("audit_finished_timestamp_seconds") > 0
    assert (await command(system, "--repair"))[0] in (1, 3)  # 3: just then the consumer was at the same bucket

    async def mended() -> bool:
        if consumer.metric("audit_drift_cells"):
            await command(system, "--repair")
        return consumer.metric("audit_drift_cells") == 0

    await wait_until(mended, 30.0, "the drift to be gone")
    await asyncio.to_thread(consumer.terminate, expected_errors=("audit found drift",))
    system.consumers.clear()


@pytest.mark.exhaustive
async def test_events_that_were_never_published_are_sent_from_an_export(system: System, tmp_path: Path) -> None:
    await system.publish(realm("helpdesk"), tenant("acme"), event("acme", "INC1", 1))
    await system.settled("acme")
    export = tmp_path / "export.ndjson"
    data = event("acme", "", 1)["data"]
    tickets = [{"tenant": "acme", "ticket": f"INC{n}", "sequence": 1, "data": data} for n in range(1, 4)]
    export.write_text("\n".join(json.dumps(one) for one in tickets))
    status, out, errors = await command(system, "--against", str(export))
    assert (status, len(out.splitlines())) == (1, 2), errors
    assert (await system.settled("acme")).counts == {"all": 1}
    status, out, errors = await command(system, "--against", str(export), "--publish")
    assert (status, out.count("; sent")) == (1, 2), errors
    assert (await system.settled("acme")).counts == {"all": 3}
    assert (await command(system, "--against", str(export)))[:2] == (0, "")


@pytest.mark.exhaustive
async def test_what_can_not_be_done_is_one_clear_line(system: System, tmp_path: Path) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    for status, start, arguments, settings in (
        (3, "TICKET_COUNTS_REDIS: ", (), {"TICKET_COUNTS_REDIS": nowhere}),
        (2, "tenant 'nobody': none in force", ("--tenant", "nobody"), {}),
        (2, "TICKET_COUNTS_BUCKETS: ", (), {"TICKET_COUNTS_BUCKETS": "7"}),
        (2, f"{tmp_path}/none: ", ("--against", f"{tmp_path}/none"), {}),
        (3, "no broker answers at ", ("--against", "/dev/null", "--publish"), {"TICKET_COUNTS_KAFKA": nowhere[8:-2]}),
    ):
        told = await command(system, *arguments, **settings)
        assert told[0] == status, told
        assert told[2].startswith(start), told
        assert told[2].count("\n") == 1, told
