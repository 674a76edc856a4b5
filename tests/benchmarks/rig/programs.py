"""The product's processes as a benchmark runs them: real ones, over the environment. Never imports their insides."""

import re
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.ports import HOST, free_port
from tests.servers.process import ServerProcess

REPOSITORY = Path(__file__).resolve().parents[3]

ANSWER_S = 5.0  # a metrics page takes milliseconds
START_S = 60.0  # 2 s on a quiet machine
STOP_S = 15.0

_RESULT = re.compile(r'^ticket_counts_events_total\{result="applied(?:_after_gap)?"\} ([0-9.e+]+)$', re.MULTILINE)


class Program:
    """One `python -m …` that serves HTTP at a free port."""

    def __init__(
        self, module: str, directory: Path, environ: Mapping[str, str], port: int, arguments: Sequence[str] = ()
    ) -> None:
        self.port = port
        self._process = ServerProcess(
            f"python -m {module}",
            [sys.executable, "-m", module, *arguments],
            directory / f"{module}-{port}.log",
            {**environ, "PYTHONPATH": str(REPOSITORY)},
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def spawn(self) -> None:
        """Starts it without waiting."""
        self._process.spawn()

    def start(self) -> None:
        """Starts it and returns when it says that it is ready."""
        self._process.start(lambda: self.get("/readyz") is not None, START_S)

    def stop(self) -> None:
        """Ends it cleanly."""
        self._process.stop(STOP_S)

    def tail(self) -> str:
        """The end of its log."""
        return self._process.log_tail()

    @property
    def running(self) -> bool:
        """Whether it hasn't ended."""
        return self._process.running

    def get(self, path: str) -> str | None:
        """The body of a 200, else None."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}{path}", timeout=ANSWER_S) as response:
                return str(response.read().decode())
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None


def consumers(directory: Path, environ: Mapping[str, str]) -> Program:
    """The consumer, with its metrics at `port`."""
    port = free_port()
    return Program("consumers", directory, {**environ, "TICKET_COUNTS_METRICS_PORT": str(port)}, port)


def service(directory: Path, environ: Mapping[str, str]) -> Program:
    """The HTTP service, one worker."""
    port = free_port()
    return Program("service", directory, {**environ, "TICKET_COUNTS_PORT": str(port)}, port)


def bare_service(directory: Path, path: str, answer_bytes: int) -> Program:
    """The bare route that answers so many bytes."""
    port = free_port()
    return Program("tests.benchmarks.rig.bare_service", directory, {}, port, (str(port), path, str(answer_bytes)))


def bare_stream(directory: Path, redis_url: str, channel: str, frame: str) -> Program:
    """The bare broadcast of one frame at each message on a channel."""
    port = free_port()
    arguments = (str(port), redis_url, channel, frame)
    return Program("tests.benchmarks.rig.bare_stream", directory, {}, port, arguments)


def applied(consumer: Program) -> int:
    """Events that the consumer has applied since its start, 0 while it doesn't answer."""
    page = consumer.get("/metrics") or ""
    return sum(int(float(found)) for found in _RESULT.findall(page))
