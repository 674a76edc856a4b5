"""Connections that send without end, hold on, or are dear to read: others are answered, and memory stays bounded."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.attacker import attacked
from tests.hostile.neighbour import COUNT, neighbour
from tests.servers.redis.redis_server import RedisServer
from tests.service.process.serving import ASKED, Serving, headers_of, serving
from tests.support.waiting import wait_until

MIB = 1024 * 1024

ROOM = 150 * MIB
"""What the process may grow by: some ten times what all limits together allow, a fifth of what the attacks send."""

WITHIN_S = 30.0


@pytest.fixture
async def service(redis_process: RedisServer, tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(redis_process.url, tmp_path, CREDENTIAL_REQUESTS_PER_MIN=0) as running:
        yield running


def resident(service: Serving) -> int:
    """Bytes of memory that the process has."""
    status = Path(f"/proc/{service.program.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024


async def bounded(service: Serving, attack: str, **arguments: Any) -> list[Any]:
    """What each round of the attack saw, when neither others nor memory suffered."""
    async with neighbour(service) as other:
        await other.answered(100)
        before = resident(service)
        rounds = await attacked(other, attack, service.url, **arguments)
    grown = resident(service) - before
    print(f"memory: {before / MIB:.0f} MiB, and {grown / MIB:+.0f} MiB; {len(rounds)} rounds")
    assert grown < ROOM
    return rounds


def post(content: bytes | str, content_type: str) -> dict[str, Any]:
    """A request of `attacks.requests`."""
    return {
        "method": "POST",
        "url": COUNT,
        "params": {"type": ASKED["type"], "module": ASKED["module"]},
        "content": content,
        "headers": headers_of("eve", "ticket_user") | {"content-type": content_type},
    }


@pytest.mark.timeout(240)
@pytest.mark.parametrize("attack", ["trailers", pytest.param("chunk_extensions", marks=pytest.mark.exhaustive)])
async def test_what_has_no_end_is_cut_off(service: Serving, attack: str) -> None:
    """Without a token, and a gigabyte long."""
    for sent in await bounded(service, attack):
        assert sent < 100 * MIB


@pytest.mark.exhaustive
@pytest.mark.timeout(240)
async def test_large_heads_of_connections_that_live_on(service: Serving) -> None:
    assert set(await bounded(service, "large_heads")) == {"answered"}


@pytest.mark.exhaustive
@pytest.mark.timeout(240)
async def test_large_queries_of_connections_that_are_closed(service: Serving) -> None:
    for sent in await bounded(service, "large_queries"):
        assert sent > 0


@pytest.mark.exhaustive
@pytest.mark.timeout(240)
async def test_connections_that_say_nothing(service: Serving) -> None:
    assert set(await bounded(service, "silent")) == {1_000}


@pytest.mark.timeout(240)
async def test_a_media_type_that_a_careless_pattern_reads_for_seconds(service: Serving) -> None:
    blanks = post("{}", "application/json" + " " * 60_000 + "x")
    for statuses in await bounded(service, "requests", requests=[blanks] * 50):
        assert statuses.keys() <= {"400 INVALID_REQUEST", "415 UNSUPPORTED_MEDIA_TYPE"}


@pytest.mark.exhaustive
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "content",
    ['{"filterIds":["all"%s]}' % (',"all"' * 170_000), '{"x":"%s"}' % (r"\ud800" * 170_000)],
    ids=["ids", "halves"],
)
async def test_bodies_of_the_largest_size(service: Serving, content: str) -> None:
    for statuses in await bounded(service, "requests", requests=[post(content, "application/json")] * 20):
        assert statuses.keys() <= {"200", "400 INVALID_REQUEST"}


@pytest.mark.timeout(240)
async def test_a_crowd_before_a_redis_that_hangs_is_refused_at_once_and_answered_afterwards(
    service: Serving, redis_process: RedisServer
) -> None:
    """Each waits for its own limit of three seconds, not for those before it."""

    async def demands() -> int:
        answer = await service.client.get(COUNT, params=ASKED, headers=headers_of(), timeout=60)
        return answer.status_code

    assert await demands() == 200
    redis_process.pause()
    try:
        crowd = [asyncio.create_task(demands()) for _ in range(300)]
        done, waiting = await asyncio.wait(crowd, timeout=WITHIN_S)
    finally:
        redis_process.thaw()
    assert not waiting
    assert {one.result() for one in done} == {503}

    async def well() -> bool:
        return await demands() == 200

    await wait_until(well, WITHIN_S, "answers again")
