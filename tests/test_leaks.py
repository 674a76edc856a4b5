"""A test that leaks fails, and the one after it doesn't: each case runs in a pytest of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

LEAKS_A_TASK = """
import asyncio
held = []

async def test_leaking() -> None:
    held.append(asyncio.create_task(asyncio.sleep(100)))

async def test_tidy() -> None:
    await asyncio.create_task(asyncio.sleep(0))
"""

LEAKS_A_CONNECTION = """
import redis.asyncio
held = []

async def test_leaking(redis_db: str) -> None:
    held.append(redis.asyncio.from_url(redis_db))
    await held[-1].ping()

async def test_tidy(redis_db: str) -> None:
    async with redis.asyncio.from_url(redis_db) as client:
        await client.ping()
"""


def test_a_task_that_outlives_its_test_fails_it(tmp_path: Path) -> None:
    assert "ERROR test_case.py::test_leaking - AssertionError: tasks out" in _run(tmp_path, LEAKS_A_TASK)


def test_a_redis_connection_that_outlives_its_test_fails_it(tmp_path: Path) -> None:
    assert "ERROR test_case.py::test_leaking - AssertionError: waited" in _run(tmp_path, LEAKS_A_CONNECTION)


def _run(directory: Path, source: str) -> str:
    (directory / "test_case.py").write_text(source)
    plugins = ["-p", "tests.leaks", "-p", "tests.servers.fixtures"]
    command = [sys.executable, "-m", "pytest", "-ra", "-o", "asyncio_mode=auto", *plugins, "test_case.py"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    environ.pop("TICKET_COUNTS_TEST_REDIS", None)
    done = subprocess.run(
        command, cwd=directory, env=environ, capture_output=True, text=True, timeout=50, check=False
    ).stdout
    assert "2 passed, 1 error" in done, done
    return done
