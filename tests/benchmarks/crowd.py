"""50,000 tickets become overdue at one instant while events flow: how late they are, and what the events wait."""

import asyncio
import time
from dataclasses import dataclass, field, replace

import msgspec
from aiokafka import AIOKafkaProducer

from consumers.publish import publish
from service.clock import SystemClock
from service.domain.instant import format_instant
from service.domain.view import Wanted
from service.domain.viewer import Perspective, Role, Viewer
from service.store.reading import Answer, Reading
from service.store.redis_store import open_store
from tests.benchmarks.figures import Figure
from tests.benchmarks.ground import Ground
from tests.benchmarks.ingest import Wrong
from tests.benchmarks.programs import consumers
from tests.benchmarks.workload import REALM, Size, catalogue, tenant_ids
from tests.servers.topics import new_topics
from tests.waiting import wait_until

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

ADMIN = Viewer("boss", Role.ADMIN)
WANTED = Wanted(ADMIN, Perspective.TEMPLATE, ("all",))


@dataclass
class Flow:
    """Events sent one after another, and how long each took to be in an answer."""

    sent_at: list[float] = field(default_factory=list)
    waits: dict[int, float] = field(default_factory=dict)

    def seen(self, applied: int) -> None:
        """So many of them are in an answer now."""
        now = time.monotonic()
        for number in range(len(self.waits), applied):
            self.waits[number] = now - self.sent_at[number]

    def p99_ms(self, first: int, beyond: int) -> float:
        """Of the events with these numbers."""
        waits = sorted(self.waits[number] for number in range(first, beyond))
        return 1e3 * waits[len(waits) * 99 // 100]


async def measured(ground: Ground) -> list[Figure]:
    """One tenant, so one bucket: the hardest case. Raises Wrong when one is early, or counted twice."""
    size = Size(events=0, tickets=CROWD, tenants=1, filters=30)
    own = replace(ground, topics=new_topics(), size=size)
    [tenant] = tenant_ids(size)
    await publish([msgspec.json.encode(entry) for entry in catalogue(size, {"keys": []})], own.settings, say=own.say)
    with own.redis() as redis:
        consumer = consumers(own.directory, own.environ(redis.url))
        consumer.start()
        try:
            async with open_store(redis.url, own.settings.buckets, own.settings.redis_timeout_s) as store:
                return await _crowded(own, tenant, Reading(store, SystemClock()))
        finally:
            consumer.stop()


async def _crowded(ground: Ground, tenant: str, reading: Reading) -> list[Figure]:
    due_s = time.time() + AFTER_S + CROWD / 5_000
    due_us = round(due_s) * 1_000_000
    ground.say(f"publishing {CROWD:,} tickets of one tenant, due at one instant")
    await publish((_event(tenant, n, due_us) for n in range(CROWD)), ground.settings, say=ground.say)

    async def answer() -> Answer:
        return await reading.answer(tenant, REALM, WANTED)

    async def all_counted() -> bool:
        return (await answer()).counts["all"] == CROWD

    await wait_until(all_counted, LIMIT_S, "every ticket to be counted")
    flow = Flow()
    await asyncio.sleep(max(0.0, due_us / 1e6 - QUIET_S - time.time()))
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(_send(ground, tenant, flow.sent_at))
        crowd_first = 0
        while (found := await answer()).summary["overdue"] < CROWD:
            flow.seen(found.counts["all"] - CROWD)
            if found.now <= due_us and found.summary["overdue"]:
                raise Wrong(f"{found.summary['overdue']} are overdue at {found.now}, due at {due_us}")
            if found.now <= due_us:
                crowd_first = len(flow.sent_at)
            await asyncio.sleep(LOOK_S)
        late_s = time.time() - due_us / 1e6
        crowd_beyond = len(flow.sent_at)
        while len(flow.waits) < crowd_beyond:
            flow.seen((await answer()).counts["all"] - CROWD)
            await asyncio.sleep(LOOK_S)
        sending.cancel()
    if (last := await answer()).summary["overdue"] != CROWD:
        raise Wrong(f"{last.summary['overdue']} are overdue of {CROWD}")
    quiet_ms, crowd_ms = flow.p99_ms(0, crowd_first), flow.p99_ms(crowd_first, crowd_beyond)
    return [
        Figure(f"{CROWD:,} due at one instant: the last is counted after", "s", (late_s,)),
        Figure("applied again", "tickets/s", (CROWD / late_s,)),
        Figure("an event's wait before, p99", "ms", (quiet_ms,)),
        Figure("an event's wait meanwhile, p99", "ms", (crowd_ms,)),
        Figure("meanwhile ÷ before", "%", (100 * crowd_ms / quiet_ms,), MOST_LONGER, at_most=True),
    ]


async def _send(ground: Ground, tenant: str, sent_at: list[float]) -> None:
    """New tickets without a deadline, evenly, until cancelled."""
    producer = AIOKafkaProducer(bootstrap_servers=ground.bootstrap, acks="all")
    await producer.start()
    try:
        began = time.monotonic()
        for number in range(int(EVENTS_A_SECOND * LIMIT_S)):
            await asyncio.sleep(max(0.0, began + number / EVENTS_A_SECOND - time.monotonic()))
            ticket = CROWD + number
            sent_at.append(time.monotonic())
            # One partition, so that answers have them in their order.
            await producer.send(ground.topics.events, _event(tenant, ticket, None), partition=0)
    finally:
        await producer.stop()


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
    return msgspec.json.encode(
        {
            "specversion": "1.0", "id": f"e{number}", "source": "/bench", "type": "ticket.created",
            "subject": f"T{number}", "tenantid": tenant, "sequence": 1, "data": data,
        }
    )  # fmt: skip
