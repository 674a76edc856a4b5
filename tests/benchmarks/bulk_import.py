"""A tenant's tickets are imported while another's events flow: how fast, and how long the events wait meanwhile."""

import asyncio
import sys
import time
from collections.abc import Sequence

import msgspec

from consumers.publish import publish
from service.domain.tenants.view import Warming
from tests.benchmarks.flow import percentile_ms, sending
from tests.benchmarks.ingest import Wrong
from tests.benchmarks.rig.figures import Figure
from tests.benchmarks.rig.ground import Ground
from tests.benchmarks.rig.programs import REPOSITORY
from tests.benchmarks.rig.stage import Stage, staged, whole_ticket
from tests.benchmarks.rig.workload import PRIORITIES, STATUSES, Size, agent, catalogue, team, tenant_entry, tenant_ids
from tests.servers.process import ServerProcess

EVENTS_A_SECOND = 100
QUIET_S = 10.0
"""How long events flow before the import, to compare their wait with."""

LOOK_S = 0.01
LIMIT_S = 1_800.0
STOP_S = 10.0


async def measured(ground: Ground, tickets: int, paced: int) -> list[Figure]:
    """At full speed and so many a second, each from an empty system.

    Raises Wrong where a count is wrong, or said too early.
    """
    found = []
    for title, rate in (("at full speed", None), (f"paced at {paced:,} a second", paced)):
        size = Size(events=0, tickets=tickets, tenants=2, filters=30)
        imported, live = tenant_ids(size)
        entries = [*catalogue(size, {"keys": []}), _entry(imported, loading=True)]
        async with staged(ground, size, entries) as stage:
            found += await _imported(stage, imported, live, rate, title)
    return found


async def _imported(stage: Stage, tenant: str, live: str, rate: int | None, title: str) -> list[Figure]:
    ground, tickets = stage.ground, stage.ground.size.tickets
    export = ground.directory / "import.ndjson"
    ground.say(f"writing {tickets:,} tickets to import {title}")
    with export.open("wb") as lines:
        lines.writelines(_ticket(tenant, number) + b"\n" for number in range(tickets))
    options = [] if rate is None else ["--rate", str(rate)]
    publishing = ServerProcess(
        "python -m consumers.publish",
        [sys.executable, "-m", "consumers.publish", "--until-applied", *options, str(export)],
        ground.directory / f"import-{rate}.log",
        {**ground.environ(stage.redis), "PYTHONPATH": str(REPOSITORY)},
    )
    await stage.counted(live, 0)
    try:
        first, beyond, took_s, waits = await _beside(stage, live, publishing)
    finally:
        publishing.stop(STOP_S)
        export.unlink()
    said = publishing.log_since_start()
    ground.say(f"import {title}: {said.splitlines()[-1]}, after {took_s:.1f} s")
    await _check(stage, tenant, tickets, said)
    return [
        Figure(f"import of {tickets:,} {title}", "tickets/s", (tickets / took_s,)),
        *_waits("before", waits[:first]),
        *_waits("meanwhile", waits[first:beyond]),
    ]


async def _beside(stage: Stage, live: str, publishing: ServerProcess) -> tuple[int, int, float, list[float]]:
    """Runs the import beside live events.

    The numbers of the first event sent while it ran and of the first after it, its seconds, and how long each waited.
    """
    async with (
        asyncio.timeout(LIMIT_S),
        sending(stage.ground, EVENTS_A_SECOND, lambda number: _live(live, number)) as flow,
    ):
        starts = time.monotonic() + QUIET_S
        first = beyond = 0
        while not beyond or len(flow.waits) < beyond:
            flow.seen((await stage.answer(live)).counts["all"])
            if not first and time.monotonic() >= starts:
                first, began = len(flow.sent_at), time.monotonic()
                publishing.spawn()
            elif first and not beyond and not publishing.running:
                beyond, took_s = len(flow.sent_at), time.monotonic() - began
            await asyncio.sleep(LOOK_S)
        return first, beyond, took_s, flow.waits


def _waits(when: str, waits: Sequence[float]) -> list[Figure]:
    of = f"  a live event's wait {when}"
    return [
        Figure(f"{of}, p50", "ms", (percentile_ms(waits, 50),)),
        Figure(f"{of}, p99", "ms", (percentile_ms(waits, 99),)),
        Figure(f"{of}, longest", "ms", (1e3 * max(waits),)),
    ]


async def _check(stage: Stage, tenant: str, tickets: int, said: str) -> None:
    """Raises Wrong unless it was refused till now, and is whole as soon as it is said to be."""
    if "all of it is applied" not in said:
        raise Wrong(f"the import ended otherwise:\n{said}")
    try:
        early = await stage.answer(tenant)
    except Warming:
        pass
    else:
        raise Wrong(f"{early.counts} was answered while the tenant was loading")
    await publish([msgspec.json.encode(_entry(tenant, loading=False))], stage.ground.settings, say=stage.ground.say)
    await stage.counted(tenant, tickets)


def _entry(tenant: str, *, loading: bool) -> dict[str, object]:
    value = tenant_entry(tenant)
    return {"kind": "tenant", "value": value | {"loading": True} if loading else value}


def _ticket(tenant: str, number: int) -> bytes:
    """A ticket as it stands in the help desk that is left behind."""
    data = {
        "status": STATUSES[number % len(STATUSES)],
        "priority": PRIORITIES[number % len(PRIORITIES)],
        "category": str(50 + number % 12),
        "team": team(number % 25),
        "assignee": agent(number % 400),
        "requester": f"user-{number % 20_000:05}",
        "createdAt": "2026-10-01T00:00:00Z",
        "updatedAt": "2026-11-01T00:00:00Z",
        "tags": ["vip"] if number % 5 == 0 else [],
        "fields": {"product": f"P-{number % 40}", "channel": "mail", "reopenCount": number % 3},
    }
    return whole_ticket(tenant, number, data, sequence=0)


def _live(tenant: str, number: int) -> bytes:
    return whole_ticket(tenant, number, {"status": "3745", "category": "50", "createdAt": "2026-11-01T00:00:00Z"})
