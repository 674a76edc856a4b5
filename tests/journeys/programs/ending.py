"""Waits for a process that was told to end, and judges only the time that was its own."""

import os
import subprocess
import time
from pathlib import Path

from tests.support.waiting import wait_until_blocking

PATIENCE_S = 50.0
"""For an end on a machine that has hardly any time for it; below the time-out of a test."""

NS = 1_000_000_000


class TooLate(AssertionError):
    """It took more of its own time than it may."""


def end_of(process: subprocess.Popen[bytes], within_s: float, patience_s: float = PATIENCE_S) -> int:
    """Its status. Raises TooLate when it takes longer, not counted when it was ready to run and had no processor."""
    began, starved_s = time.monotonic(), _starved_s(process.pid)
    wait_until_blocking(lambda: _is_over(process), patience_s, "the process to end")
    own_s = time.monotonic() - began - (_starved_s(process.pid) - starved_s)
    status = process.wait()
    if own_s > within_s:
        raise TooLate(f"it took {own_s:.1f} s of its own to end, and may take {within_s:g}")
    return status


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    """Leaves it unreaped, so that the system still knows what it had."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _starved_s(pid: int) -> float:
    """How long its main thread was ready to run and didn't; 0 where the system doesn't say."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / NS
    except (OSError, IndexError):
        return 0.0
