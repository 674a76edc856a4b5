"""Connections that send without end, hold on, or are dear to read: others are answered, and memory stays bounded."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.neighbour import COUNT, beside, neighbour
from tests.servers.redis_server import RedisServer
from tests.service.serving import ASKED, Serving, headers_of, serving
from tests.waiting import wait_until

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


class Connection:
    """One to the service."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    @classmethod
    async def to(cls, service: Serving) -> "Connection":
        url = service.client.base_url
        return cls(*await asyncio.open_connection(url.host, url.port))

    async def say(self, data: bytes, times: int = 1) -> int:
        """How many bytes went out until nobody listened any more."""
        sent = 0
        with contextlib.suppress(OSError):
            for _ in range(times):
                self._writer.write(data)
                await self._writer.drain()
                sent += len(data)
        return sent

    async def heard(self) -> bytes:
        """What is said until the connection ends."""
        heard = b""
        with contextlib.suppress(OSError):
            while chunk := await self.reader.read(65_536):
                heard += chunk
        return heard

    def end(self) -> None:
        self._writer.transport.abort()


def head(*lines: str) -> bytes:
    return "\r\n".join((f"POST {COUNT}?type=template&module=ticketing HTTP/1.1", "host: x", *lines, "", "")).encode()


async def trailers(service: Serving) -> None:
    """No token, and trailers of a gigabyte."""
    one = await Connection.to(service)
    await one.say(head("transfer-encoding: chunked") + b"0\r\n")
    sent = await one.say(b"x-more: " + b"y" * 65_000 + b"\r\n", 16_000)
    assert sent < 100 * MIB, "it was cut off"
    one.end()


async def chunk_extensions(service: Serving) -> None:
    one = await Connection.to(service)
    await one.say(head("transfer-encoding: chunked"))
    sent = await one.say(b"1;more=" + b"y" * 65_000 + b"\r\nz\r\n", 16_000)
    assert sent < 100 * MIB, "it was cut off"
    one.end()


async def large_heads(service: Serving) -> None:
    """Hundreds of heads of the largest size, each held by a connection that goes on living."""
    held = [await Connection.to(service) for _ in range(600)]
    for one in held:
        await one.say(f"GET /healthz?{'q' * 60_000} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    for one in held:
        assert b" 200 " in await one.reader.readuntil(b"\r\n\r\n")
    for one in held:
        one.end()


async def silent(service: Serving) -> None:
    """A thousand that say nothing."""
    held = [await Connection.to(service) for _ in range(1_000)]
    await asyncio.gather(*(one.heard() for one in held))
    for one in held:
        one.end()


async def blanks(service: Serving) -> None:
    """A media type that a careless pattern reads for seconds."""
    for _ in range(50):
        answer = await service.client.post(
            COUNT,
            params={"type": ASKED["type"], "module": ASKED["module"]},
            content=b"{}",
            headers=headers_of("eve", "ticket_user") | {"content-type": "application/json" + " " * 60_000 + "x"},
        )
        assert answer.status_code in (400, 415), answer.text


ATTACKS = [
    trailers,
    blanks,
    *(pytest.param(each, marks=pytest.mark.exhaustive) for each in (chunk_extensions, large_heads, silent)),
]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_others_are_answered_and_memory_stays_bounded(service: Serving, attack: Any) -> None:
    async with neighbour(service) as other:
        await other.answered(100)
        before = resident(service)

        async def whole() -> None:
            attacking: Coroutine[Any, Any, None] = attack(service)
            await attacking

        await beside(other, whole)
    grown = resident(service) - before
    print(f"memory: {before / MIB:.0f} MiB, and {grown / MIB:+.0f} MiB")
    assert grown < ROOM


@pytest.mark.timeout(240)
async def test_a_crowd_before_a_redis_that_hangs_is_refused_at_once_and_answered_afterwards(
    service: Serving, redis_process: RedisServer
) -> None:
    """Each waits for its own limit of three seconds, not for those before it."""

    async def asks() -> int:
        answer = await service.client.get(COUNT, params=ASKED, headers=headers_of(), timeout=60)
        return answer.status_code

    assert await asks() == 200
    redis_process.pause()
    try:
        crowd = [asyncio.create_task(asks()) for _ in range(300)]
        done, waiting = await asyncio.wait(crowd, timeout=WITHIN_S)
    finally:
        redis_process.thaw()
    assert not waiting
    assert {one.result() for one in done} == {503}

    async def well() -> bool:
        return await asks() == 200

    await wait_until(well, WITHIN_S, "answers again")
