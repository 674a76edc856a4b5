"""One of our own programs as a child process: started, watched by its log, ended. Never knows what it is for."""

import json
import signal
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.journeys.programs.ending import end_of
from tests.servers.process import ServerFailed, ServerProcess
from tests.support.plain_http import get

START_S = 90.0
"""Importing takes a second on a quiet machine, the first join of a new broker's group some more; a busy one takes ten
times as long."""

GONE_WITHIN_S = 10.0
"""What the contract gives a program after SIGTERM."""

BENIGN = (
    # The first member of a broker's first group comes before the topic of the groups is made; aiokafka tries again.
    "GroupCoordinatorNotAvailableError",
    # A topic that was made a moment ago: the broker names the leader before it has begun to lead; tried again as well.
    "NotLeaderForPartitionError",
)
"""Parts of error lines that say nothing about us."""

LOST_SESSION = ("Heartbeat session expired", "Heartbeat failed", "OffsetCommit failed")
"""What aiokafka logs as errors when a frozen consumer, or a frozen broker's, finds that its session is over."""


class Program(ServerProcess):
    """`python -m MODULE`; it may be started again after its end, and then goes on writing the same log file."""

    def __init__(self, module: str, log: Path, environ: Mapping[str, str]) -> None:
        super().__init__(f"python -m {module} ({log.stem})", [sys.executable, "-m", module], log, environ)
        self.address = ""
        """Where it serves /readyz and /metrics, since its latest start."""
        self._told_to_end = False

    def launch(self, address_in: Callable[[Mapping[str, Any]], str | None], *, ready: bool = True) -> None:
        """Start it and return once /readyz answers 200, or anything where it needn't become `ready`.

        `address_in` finds the address in a line of its log.
        """
        self.address, self._told_to_end = "", False
        self.start(lambda: self._found(address_in) and (self.ready() or not ready), START_S)

    def ready(self) -> bool:
        """Whether /readyz answers 200."""
        return self.readiness()[0] == httpx.codes.OK

    def readiness(self) -> tuple[int, str]:
        """Status and text of /readyz; 0 when nothing answers."""
        try:
            answer = self._got("/readyz")
        except httpx.TransportError as error:
            return 0, repr(error)
        return answer.status_code, answer.text

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels, as /metrics has it now."""
        found = self.metric_lines(name)
        assert found, f"{self.name} has no metric {name}"
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def metric_lines(self, name: str) -> list[str]:
        """The lines of /metrics about one metric."""
        lines = self._got("/metrics").text.splitlines()
        return [line for line in lines if line.split("{")[0].split(" ")[0] == f"ticket_counts_{name}"]

    def events(self) -> list[Mapping[str, Any]]:
        """What it has logged since its latest start; a line that is no JSON object has the level `unstructured`."""
        return [_parsed(line) for line in self.log_since_start().splitlines()]

    def said(self, event: str) -> bool:
        """Whether it has logged this event since its latest start."""
        return any(line.get("event") == event for line in self.events())

    def times_said(self, text: str) -> int:
        """In how many places of its log this text stands, those of its earlier lives included."""
        return self.log.read_bytes().count(text.encode()) if self.log.exists() else 0

    def check(self) -> None:
        """Raises ServerFailed when it has ended without being told to."""
        if not self._told_to_end and self._process is not None and self._process.poll() is not None:
            raise ServerFailed(f"{self.name} has ended by itself; its log ends:\n{self.log_tail()}")

    def terminate(self, *, expected_errors: Collection[str] = ()) -> None:
        """SIGTERM; fails unless it ends with status 0, within 10 s of its own, and logs no errors but the expected."""
        self.check()
        process = self._running()
        self._told_to_end = True
        process.send_signal(signal.SIGTERM)
        try:
            status = end_of(process, GONE_WITHIN_S)
        except AssertionError as late:
            self.kill()
            raise ServerFailed(f"{self.name} after SIGTERM: {late}; its log ends:\n{self.log_tail()}") from None
        self._gone()
        errors = self.error_lines(expected_errors)
        assert not errors, f"{self.name} logged errors: {errors}"
        assert status == 0, f"{self.name} ended with status {status}; its log ends:\n{self.log_tail()}"

    def error_lines(self, expected: Collection[str] = ()) -> list[str]:
        """Lines above `warning`, tracebacks included, since its latest start; without those that contain `expected`."""
        lines = self.log_since_start().splitlines()
        excused = (*BENIGN, *expected)
        return [line for line in lines if _is_error(_parsed(line)) and not any(part in line for part in excused)]

    def _got(self, path: str) -> httpx.Response:
        return get(f"{self.address}{path}", timeout_s=5.0)

    def _found(self, address_in: Callable[[Mapping[str, Any]], str | None]) -> bool:
        for line in self.events():
            self.address = self.address or address_in(line) or ""
        return bool(self.address)


def _parsed(line: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(line)
    except json.JSONDecodeError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"level": "unstructured", "event": line}


def _is_error(line: Mapping[str, Any]) -> bool:
    return line.get("level") not in ("debug", "info", "warning")
