"""New tickets of one tenant, sent evenly while something else goes on, and how long each takes to be in an answer."""

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count

from aiokafka import AIOKafkaProducer

from tests.benchmarks.rig.ground import Ground

PARTITION = 0
"""All go to one, so that answers have them in their order."""


class Flow:
    """When each was sent and seen, by number. `sending` fills it, whoever reads answers says what is seen."""

    def __init__(self) -> None:
        self.sent_at: list[float] = []
        self.waits: list[float] = []
        """Seconds from sending to the first answer that has it."""

    def seen(self, applied: int) -> None:
        """So many of them are in an answer now."""
        now = time.monotonic()
        self.waits += (now - sent_at for sent_at in self.sent_at[len(self.waits) : applied])

    def oldest_s(self, applied: int) -> float:
        """How long the oldest one has waited that isn't among so many; 0 where all are in the answer."""
        now = time.monotonic()
        return now - self.sent_at[applied] if applied < bisect_right(self.sent_at, now) else 0.0


@asynccontextmanager
async def sending(ground: Ground, a_second: int, event: Callable[[int], bytes]) -> AsyncIterator[Flow]:
    """Sends `event(0)`, `event(1)` and so on while the context is open."""
    flow = Flow()
    producer = AIOKafkaProducer(bootstrap_servers=ground.bootstrap, acks="all")
    await producer.start()
    task = asyncio.create_task(_send(producer, ground.topics.events, a_second, event, flow.sent_at))
    try:
        yield flow
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await producer.stop()


async def _send(
    producer: AIOKafkaProducer, topic: str, a_second: int, event: Callable[[int], bytes], sent_at: list[float]
) -> None:
    began = time.monotonic()
    for number in count():
        await asyncio.sleep(max(0.0, began + number / a_second - time.monotonic()))
        sent_at.append(time.monotonic())
        await producer.send(topic, event(number), partition=PARTITION)


def percentile_ms(waits: Sequence[float], percent: int) -> float:
    """The wait in milliseconds that so many per cent are not above."""
    return 1e3 * sorted(waits)[len(waits) * percent // 100]
