"""Ends what the demo started when the demo itself was killed. Does nothing while it lives, and touches nobody else.

It is a small process that reads a pipe: when the demo is gone, however it went, the pipe closes.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

END_S = 10.0
"""Longest wait for it to end once the pipe is closed; there is nothing left to kill then."""


class Reaper:
    """The demo's end of the pipe."""

    def __init__(self, folder: Path) -> None:
        """From now on `folder` is removed when the demo ends."""
        # Alone and isolated: it must start in milliseconds, and no Ctrl-C may reach it.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(folder)],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        """From now on the session of `pid` is killed when the demo ends."""
        self._tell("watch", pid)

    def forget(self, pid: int) -> None:
        """`pid` has ended, and may soon be somebody else's."""
        self._tell("forget", pid)

    def close(self) -> None:
        """Returns when the folder is gone and the guardian too."""
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
