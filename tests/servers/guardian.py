"""Ends servers and removes their folders when the run is over, however it ended. Never touches others.

The guardian is a small process that reads a pipe. When the run ends, however it ends, the pipe closes,
and the guardian kills what is still registered.
"""

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path


class Guardian:
    """The run's end of the pipe. One for each run; see `guardian()`."""

    def __init__(self) -> None:
        # A session of its own: Ctrl-C at the terminal reaches the run, not the guardian.
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        self.directory = Path(tempfile.mkdtemp(prefix="ticket-counts-"))
        self._tell("directory", self.directory)

    def watch(self, pid: int) -> None:
        """From now on `pid` is killed when the run ends."""
        self._tell("watch", pid)

    def forget(self, pid: int) -> None:
        """`pid` has ended and may soon be somebody else's."""
        self._tell("forget", pid)

    def close(self) -> None:
        """Kill what is left, remove the folder, and wait for both."""
        self._process.communicate(timeout=30)

    def _tell(self, verb: str, value: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{verb} {value}\n")
        self._process.stdin.flush()


@functools.cache
def guardian() -> Guardian:
    """The guardian of this run, started when first asked for."""
    return Guardian()


def close_guardian() -> None:
    """End the guardian of this run, if there is one."""
    if guardian.cache_info().currsize:
        guardian().close()
        guardian.cache_clear()


def _keep_watch() -> None:
    pids: set[int] = set()
    directories: list[str] = []
    for line in sys.stdin:
        verb, _, value = line.rstrip("\n").partition(" ")
        if verb == "watch":
            pids.add(int(value))
        elif verb == "forget":
            pids.discard(int(value))
        else:
            directories.append(value)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _keep_watch()
