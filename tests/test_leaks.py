"""A test that leaks fails, and the one after it doesn't: the cases run in a pytest of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a run of both cases prints."""
    directory = tmp_path_factory.mktemp("leaks")
    (directory / "test_task.py").write_text(LEAKS_A_TASK)
    (directory / "test_connection.py").write_text(LEAKS_A_CONNECTION)
    plugins = ["-p", "pytest_asyncio.plugin", "-p", "tests.support.leaks", "-p", "tests.servers.fixtures"]
    command = [sys.executable, "-m", "pytest", "-ra", "-o", "asyncio_mode=auto", *plugins]
    # The other plugins take seconds to be imported.
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environ.pop("TICKET_COUNTS_TEST_REDIS", None)
    return subprocess.run(
        command, cwd=directory, env=environ, capture_output=True, text=True, timeout=50, check=False
    ).stdout


def test_a_task_that_outlives_its_test_fails_it(said: str) -> None:
    assert "ERROR test_task.py::test_leaking - AssertionError: tasks out" in said


def test_a_redis_connection_that_outlives_its_test_fails_it(said: str) -> None:
    assert "ERROR test_connection.py::test_leaking - AssertionError: waited" in said


def test_those_after_them_are_well(said: str) -> None:
    assert "4 passed, 2 errors" in said, said
