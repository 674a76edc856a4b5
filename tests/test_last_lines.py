"""A failed test shows what its processes logged last, and nobody else's: the cases run in a pytest of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

WITHIN_S = 120.0
"""Two seconds' work; a busy machine takes its time."""

CASES = """
import sys
from tests.servers.process import ServerProcess

SAYS = "import time\\nfor n in range(40): print('line', n, flush=True)\\ntime.sleep(60)"

def a_server(directory, name):
    server = ServerProcess(name, [sys.executable, "-c", SAYS], directory / "log")
    server.start(lambda: "line 39" in server.log_since_start(), 30)
    return server

def test_of_a_server_that_runs_on(tmp_path):
    a_server(tmp_path, "a shared server")
    raise AssertionError("differs first")

def test_of_a_server_of_its_own(tmp_path):
    a_server(tmp_path, "its own server").kill()
    raise AssertionError("differs second")

def test_that_passes(tmp_path):
    a_server(tmp_path, "a server without a failure").kill()
"""


@pytest.mark.timeout(150)
def test_a_failure_shows_the_last_lines_that_its_own_processes_logged(tmp_path: Path) -> None:
    (tmp_path / "test_case.py").write_text(CASES)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--tb=short",
        "-p",
        "tests.servers.fixtures",
        "-p",
        "tests.support.last_lines",
    ]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [*command, "test_case.py"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    ).stdout
    assert "1 passed" in done, done
    first, second = done.split("differs first", 1)[1].split("differs second", 1)
    last_lines = "\n".join(f"line {number}" for number in range(25, 40))
    for shown, name in ((first, "a shared server"), (second, "its own server")):
        assert shown.count("last lines of") == 1, done
        assert f" last lines of {name} " in shown
        assert last_lines in shown
        assert "line 24" not in shown
