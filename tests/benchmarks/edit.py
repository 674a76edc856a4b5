"""A filter is edited over many tickets while events flow: every answer is the old count or the new one."""

import asyncio
import time

import msgspec

from consumers.publish import publish
from service.queries.counts import Answer
from tests.benchmarks.flow import Flow, percentile_ms, sending
from tests.benchmarks.ingest import Wrong
from tests.benchmarks.rig.figures import Figure
from tests.benchmarks.rig.ground import Ground
from tests.benchmarks.rig.stage import Stage, staged, whole_ticket
from tests.benchmarks.rig.workload import Size, catalogue, tenant_ids

TICKETS = 200_000
EVENTS_A_SECOND = 500
BEFORE_S = 10.0
"""How long events flow before the edit, to compare their wait with."""
LOOK_S = 0.02
FILTER = "edited"
OLD, NEW = "50", "51"
LIMIT_S = 300.0


async def measured(ground: Ground) -> list[Figure]:
    """One tenant, and a consumer with nothing else to do. Raises Wrong for an answer that is neither count."""
    size = Size(events=0, tickets=TICKETS, tenants=1, filters=30)
    [tenant] = tenant_ids(size)
    entries = [*catalogue(size, {"keys": []}), _filter(tenant, OLD)]
    ground.say(f"publishing {TICKETS:,} tickets of one tenant")
    events = (_event(tenant, n, (OLD, NEW)[n % 2]) for n in range(TICKETS))
    async with staged(ground, size, entries, events) as stage:
        return await _edited(stage, tenant)


async def _edited(stage: Stage, tenant: str) -> list[Figure]:
    await stage.counted(tenant, TICKETS)
    before, during = list[float](), list[float]()
    async with sending(stage.ground, EVENTS_A_SECOND, lambda number: _event(tenant, TICKETS + number, OLD)) as flow:
        ends = time.monotonic() + BEFORE_S
        while time.monotonic() < ends:
            _judge(await stage.answer(tenant, FILTER), flow, before)
            await asyncio.sleep(LOOK_S)
        edited_at = time.monotonic()
        await publish([msgspec.json.encode(_filter(tenant, NEW))], stage.ground.settings, say=stage.ground.say)
        in_force = False
        async with asyncio.timeout(LIMIT_S):
            while not in_force:
                await asyncio.sleep(LOOK_S)
                in_force = _judge(await stage.answer(tenant, FILTER), flow, during)
        filled_s = time.monotonic() - edited_at
    stage.ground.say(f"edit: in force after {filled_s:.1f} s, {len(during)} answers meanwhile, each old or new")
    return [
        Figure(f"edit in force over {TICKETS:,} tickets", "s", (filled_s,)),
        Figure("tickets gone over", "tickets/s", (TICKETS / filled_s,)),
        Figure("oldest event's wait before the edit, p99", "ms", (percentile_ms(before, 99),)),
        Figure("oldest event's wait during the fill, p50", "ms", (percentile_ms(during, 50),)),
        Figure("oldest event's wait during the fill, p99", "ms", (percentile_ms(during, 99),)),
    ]


def _judge(answer: Answer, flow: Flow, waits: list[float]) -> bool:
    """True for the new count. Raises Wrong for what is neither."""
    extra = answer.counts["all"] - TICKETS
    waits.append(flow.oldest_s(extra))
    old, new, found = TICKETS // 2 + extra, TICKETS // 2, answer.counts[FILTER]
    if found not in (old, new):
        raise Wrong(f"{found} is neither the old count {old} nor the new one {new}")
    return found == new and extra > 0


def _event(tenant: str, number: int, category: str) -> bytes:
    data = {"status": "3745", "category": category, "team": f"team-{number % 25}", "createdAt": "2026-11-01T00:00:00Z"}
    return whole_ticket(tenant, number, data)


def _filter(tenant: str, category: str) -> dict[str, object]:
    where = {"field": "category", "op": "eq", "value": category}
    value = {"id": FILTER, "tenant": tenant, "name": "Edited", "type": "custom", "where": where}
    return {"kind": "filter", "value": value}
