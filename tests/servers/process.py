"""One server as a child process: started, frozen, killed, ended. Never knows what the server is."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.servers.guardian import guardian
from tests.support.waiting import wait_until_blocking

TAIL_BYTES = 4000  # enough for a stack trace, short enough to read in a test report
KILL_S = 10.0  # a killed process is gone in milliseconds; this is for a machine under load


started: list["ServerProcess"] = []
"""Every process that was started and that a failed test may have something to show of: see
`tests.support.last_lines`."""


class ServerFailed(Exception):
    """The server ended or stayed silent: read the end of its log in the message."""


class ServerProcess:
    """A process with a log file; `start` may be called again after `stop` or `kill`."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self._environ = {**os.environ, **(environ or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """Whether the process exists, frozen or not."""
        return self._process is not None and self._process.poll() is None

    def start(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Start it and return once `ready`. Raises ServerFailed with the log's tail."""
        self.spawn()
        self.wait_ready(ready, timeout_s)

    def spawn(self) -> None:
        """Start it without waiting. Raises RuntimeError when it runs already."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        self._gone()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
                env=self._environ,
                start_new_session=True,  # Ctrl-C ends the run, and the run ends the server
            )
        guardian().watch(self._process.pid)
        if self not in started:
            started.append(self)

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Return once `ready`; kill it if that takes over `timeout_s`. Raises ServerFailed with the log's tail."""
        try:
            wait_until_blocking(lambda: not self.running or ready(), timeout_s, f"{self.name} to be ready")
        except AssertionError as late:
            self.kill()
            raise ServerFailed(f"{late}; its log ends:\n{self.log_tail()}") from None
        if not self.running:
            self._gone()
            raise ServerFailed(f"{self.name} has ended; its log ends:\n{self.log_tail()}")

    def stop(self, grace_s: float) -> None:
        """Ask it to end, thawed if frozen, and kill it after `grace_s` seconds. Does nothing if it doesn't run."""
        if not self.running:
            return
        process = self._running()
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
        else:
            self._gone()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. Does nothing if it doesn't run."""
        if not self.running:
            return
        process = self._running()
        process.kill()
        process.wait(KILL_S)
        self._gone()

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._running().send_signal(signal.SIGCONT)

    def log_since_start(self) -> str:
        """What it has logged since its latest start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def log_tail(self) -> str:
        """The end of what it has logged since its latest start."""
        return self.log_since_start()[-TAIL_BYTES:]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self.name} doesn't run")
        return self._process

    def _gone(self) -> None:
        if self._process is not None:
            guardian().forget(self._process.pid)
            self._process = None
