"""`python -m tests.hostile.bad_records KAFKA TOPIC BAD PARTITIONS`: writes records that are bad, large or dear.

A process of its own: in the one that measures it would slow the measuring down. It builds its records first, says
"ready", and sends once it is told to by a line on stdin: `BAD` small ones, then each hostile one into each of the first
`PARTITIONS` partitions.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.journeys.programs import sending
from tests.journeys.programs.raw_producing import send_raw
from tests.journeys.records.test_hostile_records import HOSTILE

LARGEST_OF_SMALL = 500


async def send(kafka: str, topic: str, bad: int, partitions: int) -> None:
    """Returns once the broker has them all."""
    async with sending.opened(kafka) as producer:
        for number in range(bad):
            value = b"{" * (number % LARGEST_OF_SMALL)
            await producer.send(topic, value, key=b"acme/B", partition=number % partitions)
    for partition in range(partitions):
        for raw in HOSTILE.values():
            await send_raw(kafka, topic, partition, raw)


def letters(bad: int, partitions: int) -> int:
    """How many dead letters become of them."""
    return bad + partitions * len(HOSTILE)


@asynccontextmanager
async def attacker(kafka: str, topic: str, bad: int, partitions: int) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The program, ready; what is given makes it send, and returns once it has sent all."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, kafka, topic, str(bad), str(partitions),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert program.stdout is not None

    async def attack() -> None:
        await program.communicate(b"go\n")
        assert program.returncode == 0

    try:
        assert await program.stdout.readline() == b"ready\n"
        yield attack
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()


if __name__ == "__main__":
    print("ready", flush=True)
    sys.stdin.readline()
    asyncio.run(send(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
