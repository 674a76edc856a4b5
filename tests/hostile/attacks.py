"""`python -m tests.hostile.attacks NAME URL`: one attack, again and again until the process is ended.

URL is the service's address, or the broker's where the attack is one of records.

A process of its own: in the one that measures it would slow the measuring down. It says "ready", waits for its
arguments (a JSON object, one line of stdin), and prints what it saw as a line of JSON whenever a round is over.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.journeys.programs import sending
from tests.journeys.programs.raw_producing import send_raw
from tests.journeys.records.hostile_batches import hostile_batches

COUNT = "/api/v2/ticketing/ticket/count"

QUERY = "type=template&module=ticketing"

LARGEST_OF_SMALL = 500
"""Bytes of a small bad record."""

NICENESS = 5
"""Callers elsewhere take no CPU of the server's machine: what an attack costs is to be what the service does for it."""


class Connection:
    """One to the service. Use as an async context manager, which cuts it."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    async def __aenter__(self) -> "Connection":
        self.reader, self._writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

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


@contextlib.asynccontextmanager
async def connected(url: str, count: int) -> AsyncIterator[list[Connection]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Connection(url)) for _ in range(count)]


def head(*lines: str) -> bytes:
    return "\r\n".join((f"POST {COUNT}?{QUERY} HTTP/1.1", "host: x", *lines, "", "")).encode()


async def trailers(url: str) -> AsyncIterator[int]:
    """No token, and trailers of a gigabyte; how many bytes were taken."""
    async with Connection(url) as one:
        await one.say(head("transfer-encoding: chunked") + b"0\r\n")
        yield await one.say(b"x-more: " + b"y" * 65_000 + b"\r\n", 16_000)


async def chunk_extensions(url: str) -> AsyncIterator[int]:
    """The same within a body."""
    async with Connection(url) as one:
        await one.say(head("transfer-encoding: chunked"))
        yield await one.say(b"1;more=" + b"y" * 65_000 + b"\r\nz\r\n", 16_000)


async def large_heads(url: str) -> AsyncIterator[str]:
    """Hundreds of heads of nearly the largest size, each held by a connection that goes on living."""
    async with connected(url, 600) as held:
        for one in held:
            await one.say(f"GET /healthz?{'q' * 60_000} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        answers = [await one.reader.readuntil(b"\r\n\r\n") for one in held]
        yield "answered" if all(b" 200 " in answer for answer in answers) else "refused"


async def large_queries(url: str) -> AsyncIterator[int]:
    """Hundreds of connections with a query of a megabyte, closed one after another; how many bytes were taken."""
    taken = 0
    for _ in range(100):
        async with Connection(url) as one:
            taken += await one.say(f"GET {COUNT}?{'q' * 1_000_000} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    yield taken


async def silent(url: str) -> AsyncIterator[int]:
    """A thousand that say nothing; how many were ended."""
    async with connected(url, 1_000) as held:
        heard = await asyncio.gather(*(one.heard() for one in held))
        yield len(heard)


async def requests(
    url: str, requests: Sequence[Mapping[str, Any]], at_once: int = 8
) -> AsyncIterator[Mapping[str, int]]:
    """Sends each of these, so many at once; how often each status and code came."""
    seen: Counter[str] = Counter()
    left = iter(requests)

    async def send_on() -> None:
        for request in left:
            answer = await client.request(**request)
            code = "" if answer.is_success else answer.json()["error"]["code"]
            seen[f"{answer.status_code} {code}".strip()] += 1

    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False, verify=False) as client:
        await asyncio.gather(*(send_on() for _ in range(at_once)))
    yield seen


async def streams(url: str, requests: Sequence[str], places: int) -> AsyncGenerator[list[int], None]:
    """As many streams of each caller as there are places, one after another; how many of each had counts.

    They stay open until the process is ended.
    """
    had_counts = []
    async with contextlib.AsyncExitStack() as stack:
        for request in requests:
            had_counts.append(0)
            for _ in range(places):
                one = await stack.enter_async_context(Connection(url))
                await one.say(request.encode())
                begins = await one.reader.readuntil(b"\nevent: ") + await one.reader.readline()
                had_counts[-1] += begins.endswith(b" snapshot\n")
        yield had_counts
        await asyncio.Event().wait()


async def records(kafka: str, topic: str, bad: int, partitions: int) -> AsyncGenerator[int, None]:
    """Once: `bad` small ones, then each hostile batch into each of the first `partitions`.

    How many dead letters become of them, once the broker has them all.
    """
    hostile = hostile_batches().values()
    async with sending.opened(kafka) as producer:
        for number in range(bad):
            value = b"{" * (number % LARGEST_OF_SMALL)
            await producer.send(topic, value, key=b"acme/B", partition=number % partitions)
    for partition in range(partitions):
        for raw in hostile:
            await send_raw(kafka, topic, partition, raw)
    yield bad + partitions * len(hostile)
    await asyncio.Event().wait()


ATTACKS = {
    attack.__name__: attack
    for attack in (trailers, chunk_extensions, large_heads, large_queries, silent, requests, streams, records)
}


async def main(name: str, url: str, arguments: Mapping[str, Any]) -> None:
    while True:
        async for seen in ATTACKS[name](url, **arguments):
            print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    os.nice(NICENESS)
    print(json.dumps("ready"), flush=True)
    asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.stdin.readline())))
