"""Runs tests in a copy of the project, and reads what became of each from pytest's JUnit report."""

import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from tests.mutations.tree import Tree

LIMIT_S = 300
"""One mutation's run. A test that hangs fails by its own time-out long before (60 s where it doesn't say otherwise)."""

END_S = 20
"""For a run that is interrupted to end its servers."""

SHOWN = 100
"""Characters of a failure."""

QUICK = ("-m", "not exhaustive and not faults_long", "--hypothesis-profile=quick")
"""What `make test` runs."""

ALL = ("-m", "not faults_long")
"""What `make test-all` runs."""

_NO_TESTS = 5
_BROKEN = re.compile(
    r"\b(ImportError|ModuleNotFoundError|SyntaxError|NameError|UnboundLocalError)\b"
    r"|Error compiling script|nonexistent global variable"
)
"""In a failure: the mutation has broken the program instead of taking a guard out of it."""


class Became(Enum):
    """What became of the tests of one run."""

    RED = "red"
    GREEN = "green"
    NONE = "none of them is in this run"
    BROKEN = "broken"
    """Something failed, but not as a test fails: an import, a fixture, the collection."""
    SKIPPED = "skipped"
    HUNG = "hung"


class Run(NamedTuple):
    """One run: what became of it, and of which test or why."""

    became: Became
    detail: str = ""


def run(tree: Tree, tests: Sequence[str], options: Sequence[str], limit_s: float = LIMIT_S) -> Run:
    """Runs these tests as `make test` or `make test-all` would, up to the first that fails."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        command += [f"--hypothesis-seed={time.strftime('%Y%m%d')}", "--exitfirst", *options, *tests]
        ended = _ended(tree, command, limit_s)
        if ended is None:
            return Run(Became.HUNG, f"no end within {limit_s:g} s")
        status, said = ended
        if status == _NO_TESTS:
            return Run(Became.NONE)
        if not report.exists():
            return Run(Became.BROKEN, said)
        return became(report.read_text("utf-8"), said)


def became(report: str, said: str) -> Run:
    """What a JUnit report says. A failure is one of the test itself; fixtures and the collection have errors."""
    cases = list(ET.fromstring(report).iter("testcase"))
    failures = [(case, failure) for case in cases for failure in case.findall("failure")]
    for case, failure in failures:
        if not _BROKEN.search(f"{failure.get('message')}\n{failure.text}"):
            said = " ".join(str(failure.get("message")).split())
            return Run(Became.RED, f"{case.get('classname')}.{case.get('name')}: {said[:SHOWN]}")
    broken = [*(failure for _, failure in failures), *(error for case in cases for error in case.findall("error"))]
    if broken:
        return Run(Became.BROKEN, str(broken[0].get("message")))
    if not cases:
        return Run(Became.BROKEN, said)
    if all(case.find("skipped") is not None for case in cases):
        return Run(Became.SKIPPED, str(next(ET.fromstring(report).iter("skipped")).get("message")))
    return Run(Became.GREEN)


def _ended(tree: Tree, command: Sequence[str], limit_s: float) -> tuple[int, str] | None:
    """The run's exit status and its last line; None where it had to be ended.

    It writes to a file: a program that a failing test has left behind would hold a pipe open.
    """
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=tree.folder, env=tree.environ, stdout=output, stderr=subprocess.STDOUT)
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return None
        output.seek(0)
        return status, next((line for line in reversed(output.read().splitlines()) if line.strip()), "")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
