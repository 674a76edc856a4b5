"""A process that is slow to end is told from one whom the machine gives no time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.programs.ending import TooLate, end_of

SLOW = "import time; time.sleep(1)"

WORKS = """
import os, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.nice(19)
print(flush=True)
while time.process_time() < 0.02: pass
"""

TAKES_ALL = """
import os, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(flush=True)
while time.process_time() < 1: pass
"""


def started(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)


def test_its_status_is_given_back() -> None:
    with started("raise SystemExit(3)") as process:
        assert end_of(process, 10) == 3


def test_one_that_is_slow_is_too_late() -> None:
    with started(SLOW) as process, pytest.raises(TooLate):
        end_of(process, 0.5)


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this system doesn't say who had no processor")
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system gives no process a processor")
def test_one_that_gets_no_processor_is_not() -> None:
    with started(TAKES_ALL) as other, started(WORKS) as process:
        assert other.stdout is not None
        assert process.stdout is not None
        other.stdout.readline()
        process.stdout.readline()
        assert end_of(process, 0.5) == 0
        assert other.wait(30) == 0
