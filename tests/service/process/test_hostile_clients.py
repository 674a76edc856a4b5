"""Clients that are silent, drip, send half a body or far too much, or come back without end: others notice nothing."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.servers.redis.redis_server import RedisServer
from tests.service.process.serving import ASKED, STREAM, Serving, serving, stream_request, token
from tests.support.examples import is_quick
from tests.support.waiting import wait_until

COUNT = STREAM.removesuffix("/stream")
QUERY = "type=template&module=ticketing"

CLOSED_WITHIN_S = 15.0 + 25.0
"""The longest deadline for a request's arrival, and some for a busy machine: whoever isn't cut off stays for ever."""

HEARD_S = 20.0
"""Longest wait for an answer that is looked for by its words."""

LASTS_S = 5.0 if is_quick() else 15.0
"""How long clients come back without end, and others are watched beside them."""

ANSWERED_S, SLOWER = 2.0, 20
"""Longest wait of anybody else; where the machine is so busy that they wait for long before the attack, so many times
that. A server that is blocked by one of these clients would be for 15 s."""

DRIP_S = 0.3


@pytest.fixture
async def service(redis_process: RedisServer, tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(redis_process.url, tmp_path) as running:
        yield running


class Hostile:
    """One connection that does as little as it can, or too much."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        """Raises nothing when nobody listens any more."""
        with contextlib.suppress(OSError):
            self.writer.write(data)
            await self.writer.drain()

    async def drip(self, data: bytes) -> None:
        """A byte at a time, for ever."""
        at = 0
        while not self.writer.is_closing():
            await self.say(data[at % len(data) : at % len(data) + 1])
            at += 1
            await asyncio.sleep(DRIP_S)

    async def hears(self, what: bytes, times: int = 1) -> None:
        """Returns when it was said so often. Raises TimeoutError when it isn't."""
        heard = b""
        async with asyncio.timeout(HEARD_S):
            while heard.count(what) < times:
                chunk = await self.reader.read(65_536)
                assert chunk, f"closed after {heard!r}"
                heard += chunk

    async def heard(self) -> bytes:
        """Everything until the server closes the connection. Raises TimeoutError when it doesn't in time."""
        heard = b""
        async with asyncio.timeout(CLOSED_WITHIN_S):
            with contextlib.suppress(OSError):
                while chunk := await self.reader.read(65_536):
                    heard += chunk
        return heard


@asynccontextmanager
async def hostile(service: Serving) -> AsyncIterator[Hostile]:
    url = service.client.base_url
    client = Hostile(*await asyncio.open_connection(url.host, url.port))
    try:
        yield client
    finally:
        client.writer.transport.abort()


def head(service: Serving, length: int, *lines: str) -> bytes:
    known = [f"{name}: {value}" for name, value in service.headers.items()]
    begin = [f"POST {COUNT}?{QUERY} HTTP/1.1", "host: x", "content-type: application/json", f"content-length: {length}"]
    return "\r\n".join([*begin, *known, *lines, "", ""]).encode()


async def silent(service: Serving) -> None:
    async with hostile(service) as client:
        assert await client.heard() == b""


async def dripping(service: Serving, data: bytes) -> None:
    async with hostile(service) as client:
        drops = asyncio.create_task(client.drip(data))
        await client.heard()
        drops.cancel()
        await asyncio.gather(drops, return_exceptions=True)


async def half_a_body(service: Serving) -> None:
    async with hostile(service) as client:
        await client.say(head(service, 1_000) + b'{"filterIds": [')
        assert b" 400 " in (await client.heard())[:20], "the handler says so before the connection is closed"


async def half_a_body_beside_a_stream(service: Serving) -> None:
    async with hostile(service) as client:
        await client.say(stream_request(service.headers, "content-length: 1000\r\n") + b"x")
        assert b"snapshot" in await client.heard()


async def large_header(service: Serving, repeated: bool) -> None:
    async with hostile(service) as client:
        line = b"x-more: " + b"x" * 1_000 + b"\r\n"
        more = line * 2_000 if repeated else b"x-more: " + b"x" * 2_000_000 + b"\r\n"
        await client.say(b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + more + b"\r\n")
        heard = await client.heard()
        # The rest of what it sends may reset the connection before it reads.
        assert heard == b"" or heard.startswith(b"HTTP/1.1 431 ")


async def large_body(service: Serving) -> None:
    async with hostile(service) as client:
        await client.say(head(service, 50_000_000))
        for _ in range(50):
            await client.say(b"x" * 1_000_000)
        assert b" 413 " in (await client.reader.read(65_536))[:20]


FEWEST_RECONNECTS, FEWEST_WAITS, QUIET_WAITS = 21, 11, 5
"""Of each client and of the others: a slow machine takes longer for as many."""


async def reconnecting(service: Serving, until: float) -> int:
    times = 0
    while time.monotonic() < until or times < FEWEST_RECONNECTS:
        async with hostile(service) as client:
            await client.say(stream_request(service.headers))
            if times % 2:
                await client.reader.read(1)
            times += 1
    return times


async def others(service: Serving, until: float, fewest: int = FEWEST_WAITS) -> list[float]:
    """How long everybody else waits: for an answer, and for a change on a stream."""
    waits: list[float] = []
    async with service.stream() as stream:
        await stream.next("snapshot")
        while time.monotonic() < until or len(waits) < fewest:
            asked = time.monotonic()
            assert (await service.client.get("/healthz")).status_code == 200
            answer = await service.client.post(
                COUNT, params={"type": "template", "module": "ticketing"}, json={"filterIds": ["all"]},
                headers=service.headers,
            )  # fmt: skip
            assert answer.status_code == 200
            total = await service.add()
            while (await stream.next("counts")).data["counts"]["all"] < total:
                pass
            waits.append(time.monotonic() - asked)
            await asyncio.sleep(0.1)
    return waits


async def no_streams(service: Serving) -> bool:
    return await service.metric("streams_open") == 0


async def test_hostile_clients_are_cut_off_and_others_notice_nothing(service: Serving) -> None:
    quiet = await others(service, 0, QUIET_WAITS)
    await wait_until(lambda: no_streams(service), 20, "the stream of others to be gone")
    before = service.descriptors()
    until = time.monotonic() + LASTS_S
    async with asyncio.TaskGroup() as attacks:
        begun = [
            attacks.create_task(attack)
            for _ in range(10)
            for attack in (
                silent(service),
                dripping(service, b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-more: " + b"x" * 10_000),
                dripping(service, b"\r\n"),
                dripping(service, head(service, 1_000) + b" " * 1_000),
                half_a_body(service),
                half_a_body_beside_a_stream(service),
                large_header(service, repeated=True),
                large_header(service, repeated=False),
            )
        ]
        begun += [attacks.create_task(large_body(service)) for _ in range(2)]
        storm = [attacks.create_task(reconnecting(service, until)) for _ in range(5)]
        waits = await others(service, until)
    assert all(attack.done() for attack in begun)
    assert sum(task.result() for task in storm) > 100
    assert len(waits) > 10
    assert max(waits) < max(ANSWERED_S, SLOWER * max(quiet))
    await wait_until(lambda: service.descriptors() <= before + 2, 20, "all connections to be gone")


async def test_headers_that_are_too_long_are_refused_in_the_envelope_of_all_errors(service: Serving) -> None:
    answer = await service.client.get("/healthz", headers={"x-more": "x" * 66_000})
    assert (answer.status_code, answer.json()["error"]["code"]) == (431, "INVALID_REQUEST")
    assert (await service.client.get("/healthz", headers={"x-more": "x" * 60_000})).status_code == 200


async def test_a_token_of_many_teams_is_taken_and_a_larger_one_is_said_to_be_too_large(service: Serving) -> None:
    for teams, status in ((500, 200), (900, 200), (1_000, 431), (1_500, 431)):
        bearer = token(teams=[f"7a1c0f2e-55aa-4c1b-9d1e-{number:012}" for number in range(teams)])
        assert (len(bearer) <= 49_152) is (status == 200)
        headers = service.headers | {"authorization": f"Bearer {bearer}"}
        answer = await service.client.get(COUNT, params=ASKED, headers=headers)
        assert answer.status_code == status, len(bearer)
        assert status == 200 or answer.json()["error"]["code"] == "INVALID_REQUEST"


async def test_a_long_query_is_the_handlers_to_refuse(service: Serving) -> None:
    most = ",".join(f"{number:>0128}" for number in range(500))
    for ids, said in (
        (most.replace("0", "%30"), b"INVALID_FILTER_ID"),
        ("x" * 1_050_000, b"The query must not be over 1048576 bytes"),
        ("x" * 3_000_000, b"431 Request Header Fields Too Large"),
    ):
        async with hostile(service) as client:
            lines = "".join(f"{name}: {value}\r\n" for name, value in {"host": "x", **service.headers}.items())
            await client.say(f"GET {COUNT}?{QUERY}&filterIds={ids} HTTP/1.1\r\n{lines}\r\n".encode())
            await client.hears(said)


async def test_a_connection_serves_request_after_request_and_pipelined_ones(service: Serving) -> None:
    async with hostile(service) as client:
        body = json.dumps({"filterIds": ["all"]}).encode()
        request = head(service, len(body)) + body
        for _ in range(3):
            await client.say(request)
            await client.hears(b'"success":true')
        await client.say(request * 3)
        await client.hears(b'"success":true', times=3)
