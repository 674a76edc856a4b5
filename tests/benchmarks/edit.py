"""A filter is edited over many tickets while events flow: every answer is the old count or the new one."""

import asyncio
import time
from bisect import bisect_right
from dataclasses import dataclass, field, replace

import msgspec
from aiokafka import AIOKafkaProducer

from consumers.publish import publish
from service.clock import SystemClock
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

TICKETS = 200_000
EVENTS_A_SECOND = 500
BEFORE_S = 10.0
"""How long events flow before the edit, to compare their wait with."""
LOOK_S = 0.02
FILTER = "edited"
OLD, NEW = "50", "51"
LIMIT_S = 300.0

ADMIN = Viewer("boss", Role.ADMIN)


@dataclass
class Watch:
    """What was sent and seen: the age of the oldest event that an answer doesn't have is its wait."""

    sent_at: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def seen(self, applied: int, now: float) -> None:
        sent = bisect_right(self.sent_at, now)
        self.waits.append(now - self.sent_at[applied] if applied < sent else 0.0)


async def measured(ground: Ground) -> list[Figure]:
    """One tenant, and a consumer with nothing else to do. Raises Wrong for an answer that is neither count."""
    size = Size(events=0, tickets=TICKETS, tenants=1, filters=30)
    own = replace(ground, topics=new_topics(), size=size)
    [tenant] = tenant_ids(size)
    entries = [*catalogue(size, {"keys": []}), _filter(tenant, OLD)]
    await publish([msgspec.json.encode(entry) for entry in entries], own.settings, say=own.say)
    own.say(f"publishing {TICKETS:,} tickets of one tenant")
    await publish((_event(tenant, n, (OLD, NEW)[n % 2]) for n in range(TICKETS)), own.settings, say=own.say)
    with own.redis() as redis:
        consumer = consumers(own.directory, own.environ(redis.url))
        consumer.start()
        try:
            async with open_store(redis.url, own.settings.buckets, own.settings.redis_timeout_s) as store:
                return await _edited(own, tenant, Reading(store, SystemClock()))
        finally:
            consumer.stop()


async def _edited(ground: Ground, tenant: str, reading: Reading) -> list[Figure]:
    wanted = Wanted(ADMIN, Perspective.TEMPLATE, ("all", FILTER))

    async def answer() -> Answer:
        return await reading.answer(tenant, REALM, wanted)

    async def all_counted() -> bool:
        return (await answer()).counts["all"] == TICKETS

    await wait_until(all_counted, LIMIT_S, "every ticket to be counted")
    before, during = Watch(), Watch()
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(_send(ground, tenant, before.sent_at))
        during.sent_at = before.sent_at
        ends = time.monotonic() + BEFORE_S
        while time.monotonic() < ends:
            _judge(await answer(), before)
            await asyncio.sleep(LOOK_S)
        edited_at = time.monotonic()
        await publish([msgspec.json.encode(_filter(tenant, NEW))], ground.settings, say=ground.say)
        in_force = False
        while not in_force:
            await asyncio.sleep(LOOK_S)
            in_force = _judge(await answer(), during)
        filled_s = time.monotonic() - edited_at
        sending.cancel()
    ground.say(f"edit: in force after {filled_s:.1f} s, {len(during.waits)} answers meanwhile, each old or new")
    return [
        Figure(f"edit in force over {TICKETS:,} tickets", "s", (filled_s,)),
        Figure("tickets gone over", "tickets/s", (TICKETS / filled_s,)),
        Figure("oldest event's wait before the edit, p99", "ms", (_p99_ms(before.waits),)),
        Figure("oldest event's wait during the fill, p50", "ms", (_ms(during.waits, 50),)),
        Figure("oldest event's wait during the fill, p99", "ms", (_p99_ms(during.waits),)),
    ]


def _judge(answer: Answer, watch: Watch) -> bool:
    """True for the new count. Raises Wrong for what is neither."""
    extra = answer.counts["all"] - TICKETS
    watch.seen(extra, time.monotonic())
    old, new, found = TICKETS // 2 + extra, TICKETS // 2, answer.counts[FILTER]
    if found not in (old, new):
        raise Wrong(f"{found} is neither the old count {old} nor the new one {new}")
    return found == new and extra > 0


async def _send(ground: Ground, tenant: str, sent_at: list[float]) -> None:
    """New tickets that only the old condition counts, evenly, until cancelled."""
    producer = AIOKafkaProducer(bootstrap_servers=ground.bootstrap, acks="all")
    await producer.start()
    try:
        began = time.monotonic()
        for number in range(int(EVENTS_A_SECOND * LIMIT_S)):
            await asyncio.sleep(max(0.0, began + number / EVENTS_A_SECOND - time.monotonic()))
            ticket = TICKETS + number
            sent_at.append(time.monotonic())
            await producer.send(ground.topics.events, _event(tenant, ticket, OLD), f"{tenant}/T{ticket}".encode())
    finally:
        await producer.stop()


def _event(tenant: str, number: int, category: str) -> bytes:
    data = {"status": "3745", "category": category, "team": f"team-{number % 25}", "createdAt": "2026-11-01T00:00:00Z"}
    return msgspec.json.encode(
        {
            "specversion": "1.0", "id": f"e{number}", "source": "/bench", "type": "ticket.created",
            "subject": f"T{number}", "tenantid": tenant, "sequence": 1, "data": data,
        }
    )  # fmt: skip


def _filter(tenant: str, category: str) -> dict[str, object]:
    where = {"field": "category", "op": "eq", "value": category}
    value = {"id": FILTER, "tenant": tenant, "name": "Edited", "type": "custom", "where": where}
    return {"kind": "filter", "value": value}


def _p99_ms(waits: list[float]) -> float:
    return _ms(waits, 99)


def _ms(waits: list[float], percent: int) -> float:
    return 1e3 * sorted(waits)[len(waits) * percent // 100]
