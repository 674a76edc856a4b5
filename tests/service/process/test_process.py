"""`python -m service` as a process: starts, says its port, serves, and ends cleanly. No store is needed to start."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.journeys.programs.ending import end_of
from tests.servers.redis.redis_server import RedisServer
from tests.support.plain_http import get
from tests.support.waiting import wait_until_blocking

NOWHERE = "redis://127.0.0.1:1/0"

END_WITHIN_S = 10


class Running:
    """A started service; its log lines as they come."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = wait_until_blocking(self._listening, 60, "the service to say where it listens")
        wait_until_blocking(self._accepts, 60, "a worker to listen there")

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.decode())

    def _listening(self) -> str:
        for line in self.lines:
            found = re.search(r'"url": ?"(http://[^"]+)"', line)
            if found:
                return found[1]
        assert self.process.poll() is None, self.lines
        return ""

    def _accepts(self) -> bool:
        """Workers begin to listen a moment after the line is written. A connection without a request counts nowhere."""
        parts = urlsplit(self.url)
        try:
            socket.create_connection((parts.hostname, parts.port), 5).close()
        except OSError:
            return False
        return True

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit status after this signal."""
        self.process.send_signal(number)
        status = end_of(self.process, END_WITHIN_S)
        self._reader.join(5)
        return status

    def errors(self) -> list[str]:
        return [line for line in self.lines if json.loads(line)["level"] in ("error", "critical")]


@contextmanager
def a_service(**settings: str) -> Iterator[Running]:
    environ = {f"TICKET_COUNTS_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "service"],
        env={"PATH": "", "TICKET_COUNTS_PORT": "0", **environ},
        cwd=Path(__file__).parents[3],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                # Its workers too: they would go on, and hold the pipe whose end is waited for.
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("workers", ["1", "3"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_without_a_store_and_ends_without_an_error_line(workers: str, number: signal.Signals) -> None:
    with a_service(redis=NOWHERE, workers=workers) as service:
        assert int(service.url.rpartition(":")[2]) > 0
        wait_until_blocking(lambda: get(f"{service.url}/healthz").status_code == 200, 10, "a worker to answer")
        assert get(f"{service.url}/readyz").status_code == 503
        answer = get(f"{service.url}/nothing")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
        assert "server" not in answer.headers
        assert service.end(number) == 0
        assert service.errors() == []


def test_it_becomes_ready_when_the_store_comes_and_refuses_one_that_is_not_its_own(
    redis_process: RedisServer,
) -> None:
    url = redis_process.url
    with a_service(redis=url) as service:
        wait_until_blocking(lambda: get(f"{service.url}/readyz").json()["store"], 10, "the store to be found")
        assert service.end() == 0
        assert service.errors() == []
    with a_service(redis=url, buckets="63") as service:
        assert end_of(service.process, END_WITHIN_S) == 1
        wait_until_blocking(lambda: any("TICKET_COUNTS_BUCKETS" in line for line in service.lines), 20, "the reason")


def test_the_death_of_one_worker_ends_all() -> None:
    with a_service(redis=NOWHERE, workers="2") as service:
        wait_until_blocking(lambda: get(f"{service.url}/healthz").status_code == 200, 10, "a worker to answer")
        children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
        if not children.exists():
            pytest.skip("this system does not list a process's children")
        first, *_ = children.read_text().split()
        subprocess.run(["/bin/kill", "-9", first], check=True)
        assert end_of(service.process, END_WITHIN_S) == 1
        with pytest.raises(httpx.TransportError):
            get(f"{service.url}/healthz")


def test_a_taken_port_is_one_line() -> None:
    with a_service(redis=NOWHERE, workers="2") as service:
        port = service.url.rpartition(":")[2]
        for workers in ("1", "2"):
            second = subprocess.run(
                [sys.executable, "-m", "service"],
                env={"TICKET_COUNTS_PORT": port, "TICKET_COUNTS_WORKERS": workers},
                cwd=Path(__file__).parents[3],
                capture_output=True,
                timeout=20,
                check=False,
            )
            assert second.returncode == 1
            assert second.stderr.count(b"\n") == 1
            assert b"TICKET_COUNTS_PORT" in second.stderr
        assert service.end() == 0


STARTING = """
import os, time
from service.process.workers import run_workers
raise SystemExit(run_workers(2, lambda number: os.write(1, b"begins\\n") and time.sleep(10), 1))
"""


def test_a_signal_that_comes_before_workers_have_begun_to_serve_is_a_good_end() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTING], cwd=Path(__file__).parents[3], stdout=subprocess.PIPE
    ) as one:
        assert one.stdout is not None
        assert [one.stdout.readline() for _ in range(2)] == [b"begins\n"] * 2
        one.send_signal(signal.SIGTERM)
        assert end_of(one, END_WITHIN_S) == 0
