"""50,000 tickets become overdue at one instant while events flow: how late they are, and what the events wait."""

import asyncio
import time

from consumers.publish import publish
from service.domain.tickets.instant import format_instant
from tests.benchmarks.flow import percentile_ms, sending
from tests.benchmarks.ingest import Wrong
from tests.benchmarks.rig.figures import Figure
from tests.benchmarks.rig.ground import Ground
from tests.benchmarks.rig.stage import Stage, staged, whole_ticket
from tests.benchmarks.rig.workload import Size, catalogue, tenant_ids

CROWD = 50_000
EVENTS_A_SECOND = 100
QUIET_S = 10.0
"""How long events flow before the instant, to compare their wait with."""

AFTER_S = 60.0
"""The instant is so far from now when publishing begins; tickets have to be counted before."""

LOOK_S = 0.005
LIMIT_S = 120.0
MOST_LONGER = 200.0
"""Per cent of what events wait without a crowd, at p99."""


async def measured(ground: Ground) -> list[Figure]:
    """One tenant, so one bucket: the hardest case. Raises Wrong when one is early, or counted twice."""
    size = Size(events=0, tickets=CROWD, tenants=1, filters=30)
    [tenant] = tenant_ids(size)
    async with staged(ground, size, [*catalogue(size, {"keys": []})]) as stage:
        return await _crowded(stage, tenant)


async def _crowded(stage: Stage, tenant: str) -> list[Figure]:
    ground = stage.ground
    due_s = time.time() + AFTER_S + CROWD / 5_000
    due_us = round(due_s) * 1_000_000
    ground.say(f"publishing {CROWD:,} tickets of one tenant, due at one instant")
    await publish((_event(tenant, n, due_us) for n in range(CROWD)), ground.settings, say=ground.say)
    await stage.counted(tenant, CROWD)
    await asyncio.sleep(max(0.0, due_us / 1e6 - QUIET_S - time.time()))
    async with sending(ground, EVENTS_A_SECOND, lambda number: _event(tenant, CROWD + number, None)) as flow:
        crowd_first = 0
        async with asyncio.timeout(LIMIT_S):
            while (found := await stage.answer(tenant)).summary["overdue"] < CROWD:
                flow.seen(found.counts["all"] - CROWD)
                if found.now <= due_us and found.summary["overdue"]:
                    raise Wrong(f"{found.summary['overdue']} are overdue at {found.now}, due at {due_us}")
                if found.now <= due_us:
                    crowd_first = len(flow.sent_at)
                await asyncio.sleep(LOOK_S)
            late_s = time.time() - due_us / 1e6
            crowd_beyond = len(flow.sent_at)
            while len(flow.waits) < crowd_beyond:
                flow.seen((await stage.answer(tenant)).counts["all"] - CROWD)
                await asyncio.sleep(LOOK_S)
    if (last := await stage.answer(tenant)).summary["overdue"] != CROWD:
        raise Wrong(f"{last.summary['overdue']} are overdue of {CROWD}")
    quiet_ms = percentile_ms(flow.waits[:crowd_first], 99)
    crowd_ms = percentile_ms(flow.waits[crowd_first:crowd_beyond], 99)
    return [
        Figure(f"{CROWD:,} due at one instant: the last is counted after", "s", (late_s,)),
        Figure("applied again", "tickets/s", (CROWD / late_s,)),
        Figure("an event's wait before, p99", "ms", (quiet_ms,)),
        Figure("an event's wait meanwhile, p99", "ms", (crowd_ms,)),
        Figure("meanwhile ÷ before", "%", (100 * crowd_ms / quiet_ms,), MOST_LONGER, at_most=True),
    ]


def _event(tenant: str, number: int, due_us: int | None) -> bytes:
    data = {
        "status": "3745",
        "priority": "4195",
        "category": str(50 + number % 12),
        "team": f"/support/team-{number % 25:02}",
        "assignee": f"agent-{number % 40:03}",
        "requester": f"user-{number % 5_000:04}",
        "createdAt": "2026-11-01T00:00:00Z",
        "dueAt": None if due_us is None else format_instant(due_us),
    }
    return whole_ticket(tenant, number, data)
