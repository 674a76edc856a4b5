"""Kills the demo's processes and removes its folder when the demo has ended. Never touches other processes.

It is a small process that reads a pipe from the demo: the pipe closes when the demo ends, even when it was killed.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

END_S = 10.0
"""Longest wait for the reaper to end after a normal end of the demo, when no process is left to kill."""


class Reaper:
    """The demo's end of the pipe."""

    def __init__(self, folder: Path) -> None:
        """Starts the process, which will remove `folder` when the demo ends."""
        # -I and -S make it start in milliseconds. Its own session keeps Ctrl-C away from it.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(folder)],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        """Has the session of `pid` killed when the demo ends."""
        self._tell("watch", pid)

    def forget(self, pid: int) -> None:
        """Undoes `watch`: the process has ended, and another one may soon get its pid."""
        self._tell("forget", pid)

    def close(self) -> None:
        """Closes the pipe and waits until the reaper has removed the folder and ended."""
        self._process.communicate(timeout=END_S)

    def _tell(self, verb: str, pid: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{verb} {pid}\n")
        self._process.stdin.flush()


def _keep_watch(folder: str) -> None:
    pids: set[int] = set()
    for line in sys.stdin:
        verb, _, pid = line.partition(" ")
        (pids.add if verb == "watch" else pids.discard)(int(pid))
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _keep_watch(sys.argv[1])
