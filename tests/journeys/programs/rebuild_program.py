"""`python -m consumers.rebuild` as its users run it, and what it has left in Redis. Judges nothing."""

import asyncio
import sys
from pathlib import Path

from tests.journeys.programs.system import System
from tests.servers.process import ServerProcess
from tests.servers.redis.redis_server import closing_client
from tests.support.waiting import wait_until

ENDS_S = 120.0
"""Some ten thousand records take seconds; a busy machine makes minutes of them."""


AT_ONCE = 10_000
"""Keys looked at in one call: a busy Redis answers each only after the step at hand."""


class Rebuild(ServerProcess):
    """One on a system's servers; it may be started again, and then goes on writing the same log file."""

    def __init__(self, system: System, directory: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "consumers.rebuild", *arguments]
        super().__init__("python -m consumers.rebuild", command, directory / "rebuild.log", system.environ())

    async def run(self, within_s: float = ENDS_S) -> tuple[int, str]:
        """Starts it and waits for its end: its exit status, and what it said."""
        self.spawn()
        process = self._running()
        await wait_until(lambda: not self.running, within_s, "the rebuild to end")
        status = await asyncio.to_thread(process.wait)
        return status, self.log_since_start()


def generations(redis_url: str) -> dict[str, str]:
    """The serving generation of each tenant."""
    with closing_client(redis_url) as client:
        keys = list(client.scan_iter(match="tc:*:tenant:*", count=AT_ONCE))
        return {_text(key).rpartition(":")[2]: _text(client.hget(key, "generation")) for key in keys}


def read_by_buildings(redis_url: str) -> int:
    """How many records the slowest of the unfinished rebuilds has behind it; 0 where there is none."""
    with closing_client(redis_url) as client:
        found = [client.hgetall(key) for key in client.scan_iter("tc:*:building:*", AT_ONCE)]
    read = [sum(int(value) for name, value in one.items() if _text(name).startswith("p:")) for one in found]
    return min(read, default=0)


def left_of_buildings(redis_url: str) -> list[bytes]:
    """Keys of unfinished rebuilds, and of generations that serve nobody."""
    with closing_client(redis_url) as client:
        return [key for key in client.scan_iter() if b":building" in key or b":orphans" in key]


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
