"""Many readers of event streams in one process: notes when which version came, and judges nothing.

A process of its own: `python -m tests.benchmarks.rig.stream_load`, with an Order as a line of JSON on stdin. It writes
`open` once every stream has begun, and after another line on stdin the Result.
"""

import asyncio
import re
import sys
import time
from functools import partial
from typing import cast

import msgspec
import uvloop

NUMBERS = re.compile(rb'data: \{"counts":[^\n]*"version":"[0-9a-f]+\.([0-9]+)\.')
"""A block with numbers; heartbeats may name the same version again."""

AT_ONCE = 200
"""Connections being opened: a backlog that overflows costs a second, and says nothing about streams."""


class Order(msgspec.Struct, frozen=True):
    """What to open: one stream for each request."""

    host: str
    port: int
    requests: list[bytes]


class Result(msgspec.Struct, frozen=True):
    """Of each stream the versions and when they came, by the machine's monotonic clock; how many ended meanwhile."""

    arrivals: list[list[tuple[int, float]]]
    ended: int
    cpu_s: float


class _Reader(asyncio.Protocol):
    """One stream."""

    def __init__(self, request: bytes, begun: asyncio.Future[None]) -> None:
        self._request = request
        self.arrivals: list[tuple[int, float]] = []
        self._begun = begun
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)  # uvloop's doesn't derive from it

    def data_received(self, data: bytes) -> None:
        at = time.monotonic()
        for found in NUMBERS.finditer(data):
            self.arrivals.append((int(found[1]), at))
            if not self._begun.done():
                self._begun.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        if not self._begun.done():
            self._begun.set_exception(exc or ConnectionError("ended before it had begun"))


def _itself(reader: _Reader) -> _Reader:
    return reader


async def run(order: Order, stopped: asyncio.StreamReader) -> Result:
    """Reads until a line comes."""
    loop = asyncio.get_running_loop()
    readers: list[_Reader] = []
    for first in range(0, len(order.requests), AT_ONCE):
        begun = []
        for request in order.requests[first : first + AT_ONCE]:
            begun.append(loop.create_future())
            reader = _Reader(request, begun[-1])
            readers.append(reader)
            await loop.create_connection(partial(_itself, reader), order.host, order.port)
        await asyncio.gather(*begun)
    for reader in readers:
        reader.arrivals.clear()
    print("open", flush=True)
    began_s = time.process_time()
    await stopped.readline()
    ended = sum(reader.ended for reader in readers)
    return Result([reader.arrivals for reader in readers], ended, time.process_time() - began_s)


async def main() -> Result:
    """By stdin."""
    stdin = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    return await run(msgspec.json.decode(await stdin.readline(), type=Order), stdin)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.buffer.write(msgspec.json.encode(runner.run(main())) + b"\n")
