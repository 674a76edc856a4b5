"""Ingest: the whole path from a full topic to counters, beside a bare loop over the same topic. Checks the answers."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.answers import Expected, differences
from tests.benchmarks.rig.cpu import cpu_s, resident_mb
from tests.benchmarks.rig.figures import Figure, ratios
from tests.benchmarks.rig.ground import Ground
from tests.benchmarks.rig.programs import REPOSITORY, Program, applied, consumers
from tests.servers.redis.redis_server import RedisServer

LOOK_S = 0.5
"""Between looks at the consumer's metrics, which cost it some milliseconds each."""

LONGEST_RUN_S = 300.0

TARGET = 10.0
"""Per cent of the bare loop, in CPU: client and Redis together."""


class Wrong(Exception):
    """The counts differ from the recount, so the figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Bare:
    """One pass of the bare loop."""

    cpu_us: float
    """CPU an event."""
    wall_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """One pass of the whole path; CPU in microseconds an event."""

    client_us: float
    redis_us: float
    events_per_s: float
    bytes_per_ticket: float
    resident_mb: float

    @property
    def cpu_us(self) -> float:
        """Client and Redis together."""
        return self.client_us + self.redis_us


@dataclass(frozen=True, slots=True)
class _Sample:
    events: int
    client_s: float
    redis_s: float
    at: float


def bare(ground: Ground) -> Bare:
    """One pass of the bare loop, in a process of its own."""
    settings = ground.settings
    arguments = (ground.bootstrap, settings.events_topic, str(settings.partitions), str(ground.size.events))
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.rig.bare_consumer", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the bare loop failed:\n{done.stderr}")
    found = json.loads(done.stdout)
    return Bare(1e6 * found["cpu_s"] / found["events"], found["wall_s"])


async def whole(ground: Ground, expected: Sequence[Expected]) -> Run:
    """One pass of `python -m consumers`, started with the topic full and Redis empty. Raises Wrong."""
    with ground.redis() as redis:
        empty = _memory(redis)
        consumer = consumers(ground.directory, ground.environ(redis.url))
        try:
            consumer.spawn()
            first, last = await _watched(ground, consumer, redis)
            wrong = await differences(ground, redis.url, expected)
            resident = resident_mb(consumer.pid)
        finally:
            consumer.stop()
        if wrong:
            raise Wrong(f"{len(wrong)} counts differ from the recount, the first: {wrong[0]}")
        events = last.events - first.events
        return Run(
            1e6 * (last.client_s - first.client_s) / events,
            1e6 * (last.redis_s - first.redis_s) / events,
            events / (last.at - first.at),
            (_memory(redis) - empty) / ground.size.tickets,
            resident,
        )


async def filled(ground: Ground, redis: RedisServer) -> None:
    """Leaves Redis with everything counted, and no consumer."""
    consumer = consumers(ground.directory, ground.environ(redis.url))
    try:
        consumer.spawn()
        await _watched(ground, consumer, redis)
        await differences(ground, redis.url, ())  # which waits for the positions
    finally:
        consumer.stop()


async def _watched(ground: Ground, consumer: Program, redis: RedisServer) -> tuple[_Sample, _Sample]:
    """From the first events seen applied, so without the start of the process, to the last."""
    first: _Sample | None = None
    give_up = time.monotonic() + LONGEST_RUN_S
    while True:
        if not consumer.running or time.monotonic() > give_up:
            raise RuntimeError(f"the consumer has not come to the end of the topic; its log ends:\n{consumer.tail()}")
        sample = _Sample(applied(consumer), cpu_s(consumer.pid), cpu_s(redis.pid), time.perf_counter())
        if first is None and sample.events:
            first = sample
        if sample.events >= ground.size.events and first is not None:
            return first, sample
        await asyncio.sleep(LOOK_S)


def _memory(redis: RedisServer) -> int:
    with redis.client() as client:
        return int(client.info("memory")["used_memory"])


async def compared(ground: Ground, expected: Sequence[Expected], runs: int) -> tuple[list[Bare], list[Run]]:
    """Alternating passes, so that both meet the same machine."""
    bares, wholes = [], []
    for number in range(1, runs + 1):
        bares.append(await asyncio.to_thread(bare, ground))
        wholes.append(await whole(ground, expected))
        ground.say(
            f"ingest {number}/{runs}: {wholes[-1].cpu_us:.1f} µs an event (client {wholes[-1].client_us:.1f}, "
            f"Redis {wholes[-1].redis_us:.1f}), bare {bares[-1].cpu_us:.2f} µs"
        )
    return bares, wholes


def figures(ground: Ground, bares: Sequence[Bare], wholes: Sequence[Run]) -> list[Figure]:
    """What the runs say."""
    events = ground.size.events
    return [
        ratios("bare ÷ whole path, CPU", [b.cpu_us for b in bares], [w.cpu_us for w in wholes], TARGET),
        Figure("bare loop, CPU an event", "µs", tuple(b.cpu_us for b in bares)),
        Figure("whole path, CPU an event", "µs", tuple(w.cpu_us for w in wholes)),
        Figure("  of it the client", "µs", tuple(w.client_us for w in wholes)),
        Figure("  of it Redis", "µs", tuple(w.redis_us for w in wholes)),
        Figure("bare loop", "events/s", tuple(events / b.wall_s for b in bares)),
        Figure("whole path", "events/s", tuple(w.events_per_s for w in wholes)),
        Figure("Redis memory a ticket, counters included", "B", tuple(w.bytes_per_ticket for w in wholes)),
        Figure("consumer, most resident", "MB", tuple(w.resident_mb for w in wholes)),
    ]
