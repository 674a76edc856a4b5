"""How much CPU a process has used, as Linux tells it. Measures only; starts nothing."""

import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")

_USER_TIME = 11
"""Place of `utime` behind the name in /proc/PID/stat; `stime` and the two of ended children follow (proc(5))."""


def cpu_s(pid: int) -> float:
    """Seconds of user and system time, with those of children that it waited for."""
    # The name is in brackets and may itself hold spaces and brackets.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[_USER_TIME : _USER_TIME + 4]) / TICKS_PER_S


def resident_mb(pid: int) -> float:
    """The most memory that it has had resident, in MB."""
    return _status_kb(pid, "VmHWM:") / 1024


def resident_kb(pid: int) -> int:
    """The memory that it has resident now, in KiB."""
    return _status_kb(pid, "VmRSS:")


def _status_kb(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0
