"""A lean load generator: keeps one request under way on each connection for some seconds. Never looks into a body.

A process of its own: `python -m tests.benchmarks.rig.http_load`, with an Order as JSON on stdin and a Result on stdout.
"""

import asyncio
import sys
import time
from functools import partial
from typing import cast

import msgspec
import uvloop


class Order(msgspec.Struct, frozen=True):
    """What to send: one request per connection, again and again."""

    host: str
    port: int
    requests: list[bytes]
    warm_up_s: float
    seconds: float


class Result(msgspec.Struct, frozen=True):
    """What came back after the warm-up; `cpu_s` is what the generator itself used."""

    answers: int
    failures: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_s: float


class _Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, request: bytes, latencies: list[float]) -> None:
        self._request = request
        self._latencies = latencies
        self._got = bytearray()
        self._whole = 0
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None
        self.failures = 0
        self.stopped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's doesn't derive from it
        self._send()

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self._whole:
            head = self._got.find(b"\r\n\r\n")
            if head < 0:
                return
            place = self._got.lower().index(b"content-length:", 0, head + 2) + len(b"content-length:")
            self._whole = head + 4 + int(self._got[place : self._got.index(b"\r\n", place)])
        if len(self._got) < self._whole:
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        self.failures += not self._got.startswith(b"HTTP/1.1 200 ")
        self._got.clear()
        self._whole = 0
        if not self.stopped:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.failures += not self.stopped

    def _send(self) -> None:
        assert self._transport is not None
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def close(self) -> None:
        """No more requests."""
        self.stopped = True
        assert self._transport is not None
        self._transport.close()


def _itself(connection: _Connection) -> _Connection:
    return connection


async def run(order: Order) -> Result:
    """Sends for the warm-up and the seconds after it."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    connections = [_Connection(request, latencies) for request in order.requests]
    for connection in connections:
        await loop.create_connection(partial(_itself, connection), order.host, order.port)
    await asyncio.sleep(order.warm_up_s)
    latencies.clear()
    began, began_cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(order.seconds)
    taken = sorted(latencies)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    for connection in connections:
        connection.close()
    return Result(
        len(taken),
        sum(connection.failures for connection in connections),
        seconds,
        1e3 * taken[len(taken) // 2],
        1e3 * taken[len(taken) * 99 // 100],
        cpu_s,
    )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(run(msgspec.json.decode(sys.stdin.buffer.read(), type=Order)))
    sys.stdout.buffer.write(msgspec.json.encode(result))
