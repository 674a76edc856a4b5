"""Several workers behind one port: their metrics are one service's, on the port of requests or on one of their own."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.redis.redis_server import RedisServer
from tests.service.process.serving import serving
from tests.service.process.test_process import NOWHERE, Running, a_service
from tests.support.plain_http import get
from tests.support.waiting import wait_until, wait_until_blocking

ENOUGH = 40
"""Connections after which every worker has had some: that one of two had none happens once in 2^39 times."""


def samples(url: str) -> dict[tuple[str, str], float]:
    """(Name, path) -> value, as one scrape over a connection of its own has it."""
    families = text_string_to_metric_families(get(f"{url}/metrics").text)
    return {
        (sample.name, sample.labels.get("path", "")): sample.value for family in families for sample in family.samples
    }


def answered(url: str) -> float:
    return samples(url)["ticket_counts_http_requests_total", "/livez"]


def group_of(service: Running) -> list[int]:
    """The parent and its workers."""
    pid = service.process.pid
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024


@pytest.fixture
def _needs_proc() -> None:
    if not Path("/proc/self/task").exists():
        pytest.skip("this system does not list a process's children")


@pytest.mark.usefixtures("_needs_proc")
def test_every_scrape_is_that_of_all_workers() -> None:
    with a_service(redis=NOWHERE, workers="2", access_log="false") as service:
        for _ in range(ENOUGH):
            assert get(f"{service.url}/livez").json() == {"status": "alive"}
        assert [answered(service.url) for _ in range(10)] == [ENOUGH] * 10
        group = group_of(service)
        assert len(group) == 3
        found = samples(service.url)
        resident = sum(map(resident_bytes, group))
        assert 0.8 < found["process_resident_memory_bytes", ""] / resident < 1.2
        assert found["process_cpu_seconds_total", ""] > 0
        fds = sum(len([*Path(f"/proc/{pid}/fd").iterdir()]) for pid in group)
        assert abs(found["process_open_fds", ""] - fds) < 10
        started = samples(service.url)["process_start_time_seconds", ""]
        assert started == found["process_start_time_seconds", ""]
        assert service.end() == 0
        assert service.errors() == []


@pytest.mark.usefixtures("_needs_proc")
def test_a_worker_that_is_frozen_takes_nothing_out_of_a_scrape() -> None:
    with a_service(redis=NOWHERE, workers="2", access_log="false") as service:
        for _ in range(ENOUGH):
            get(f"{service.url}/livez")
        assert answered(service.url) == ENOUGH
        _, frozen, _ = group_of(service)
        os.kill(frozen, signal.SIGSTOP)
        try:

            def scraped() -> float:
                try:  # half of the connections go to the one that is frozen
                    return answered(service.url)
                except httpx.TimeoutException:
                    return 0

            assert wait_until_blocking(scraped, 50, "the other worker to be scraped") == ENOUGH
        finally:
            os.kill(frozen, signal.SIGCONT)
        assert service.end() == 0


async def test_open_streams_of_all_workers_are_counted(redis_process: RedisServer, tmp_path: Path) -> None:
    async with serving(redis_process.url, tmp_path, WORKERS=2) as service:

        async def opened(left: int) -> None:
            if left:
                async with service.stream() as stream:
                    await stream.next("snapshot")
                    await opened(left - 1)
            else:
                for _ in range(6):
                    assert await service.metric("streams_open") == 8

        await opened(8)

        async def none_left() -> bool:
            return await service.metric("streams_open") == 0

        await wait_until(none_left, 10, "all streams to be gone")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_metrics_and_documentation_may_have_a_port_of_their_own(workers: str) -> None:
    with a_service(redis=NOWHERE, workers=workers, service_metrics_port="0") as service:
        (line,) = (json.loads(line) for line in service.lines if '"listening"' in line)
        inside = line["metrics_url"]
        assert inside != service.url
        for _ in range(ENOUGH):
            get(f"{service.url}/livez")
        assert [answered(inside) for _ in range(5)] == [ENOUGH] * 5
        expected = {
            "/metrics": (404, 200), "/docs": (404, 200), "/docs/page.css": (404, 200), "/openapi.json": (200, 200),
            "/livez": (200, 200), "/healthz": (200, 200), "/readyz": (503, 503), "/": (200, 404),
            "/nothing": (404, 404),
        }  # fmt: skip
        statuses = {path: (get(service.url + path).status_code, get(inside + path).status_code) for path in expected}
        assert statuses == expected
        assert service.end() == 0
        assert service.errors() == []


def test_a_taken_port_of_metrics_is_named() -> None:
    with a_service(redis=NOWHERE, service_metrics_port="0") as service:
        (line,) = (json.loads(line) for line in service.lines if '"listening"' in line)
        taken = line["metrics_url"].rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-m", "service"],
            env={"TICKET_COUNTS_PORT": "0", "TICKET_COUNTS_SERVICE_METRICS_PORT": taken},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert second.returncode == 1
        assert second.stderr.count(b"\n") == 1
        assert b"TICKET_COUNTS_SERVICE_METRICS_PORT" in second.stderr
