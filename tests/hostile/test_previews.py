"""One user who previews without end over large tickets: others' previews and counts go on."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.domain.tickets.ticket import Ticket, TicketState
from service.store.ports.steps import NEVER_WRITTEN, Applied, Batch, TenantBatch, TicketWrite
from tests.hostile.attacker import attacker
from tests.hostile.neighbour import COUNT, beside, neighbour
from tests.servers.redis.redis_server import RedisServer, closing_client
from tests.service.process.serving import ASKED, Serving, headers_of, serving

TICKETS, BYTES, TOGETHER = 300, 300_000, 20

STORM = 150

PREVIEW = f"{COUNT}/preview"

SLOW_LEAVES = [{"field": "fields.body", "op": "contains", "value": f"never {n}"} for n in range(60)]


@pytest.fixture
async def service(redis_process: RedisServer, tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(redis_process.url, tmp_path) as running:
        yield running


async def fill(service: Serving) -> None:
    """Large tickets, stored but in no counter: previews go over what is stored."""
    stored, now = await service.store.tenant("acme"), time.time_ns() // 1_000
    assert stored is not None
    for first in range(0, TICKETS, TOGETHER):
        writes = [
            TicketWrite(f"t{n}", NEVER_WRITTEN, TicketState(1, Ticket("3745", now, fields={"body": "x" * BYTES}), now))
            for n in range(first, first + TOGETHER)
        ]
        tenant = TenantBatch("acme", stored.record_version, stored.generation, writes, {})
        outcome = await service.store.apply(Batch(service.store.bucket("acme"), "topic", {}, [tenant], now))
        assert isinstance(outcome, Applied)


def preview(user: str, where: Any) -> dict[str, Any]:
    return {
        "method": "POST",
        "url": PREVIEW,
        "params": {"type": ASKED["type"], "module": ASKED["module"]},
        "json": {"where": where},
        "headers": headers_of(user),
    }


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
async def test_one_users_previews_leave_places_for_those_of_others(
    service: Serving, redis_process: RedisServer
) -> None:
    await fill(service)
    with closing_client(redis_process.url) as client:
        client.config_set("slowlog-log-slower-than", 10_000)
        client.slowlog_reset()
    mine = preview("bob", {"field": "status", "op": "eq", "value": "3745"})
    answers: list[httpx.Response] = []

    async def demands() -> None:
        while True:
            answers.append(await service.client.request(**mine, timeout=60))
            await asyncio.sleep(0.2)

    async with (
        neighbour(service) as other,
        attacker("requests", service.url, requests=[preview("eve", {"any": SLOW_LEAVES})] * STORM) as storm,
    ):

        async def attack() -> list[dict[str, int]]:
            asking = asyncio.create_task(demands())
            try:
                return await storm.rounds(other)
            finally:
                asking.cancel()

        rounds = await beside(other, attack)
    print(f"bob: {len(answers)} previews; eve: {rounds}")
    assert {answer.status_code for answer in answers} <= {200, 429}, "429 only where bob has asked 60 times a minute"
    assert answers[0].json()["data"]["count"] == TICKETS
    for statuses in rounds:
        assert {status[:3] for status in statuses} <= {"200", "429", "503"}, "503 where it takes longer than 10 s"
    with closing_client(redis_process.url) as client:
        slow = [entry["duration"] for entry in client.slowlog_get(128) if entry["command"].startswith(b"HSCAN")]
        print(f"HSCAN above 10 ms: {len(slow)}, the longest {max(slow, default=0) / 1_000:.1f} ms")
