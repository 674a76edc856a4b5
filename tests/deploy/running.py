"""A demo that a test runs: its output, its signals, its end. Checks nothing by itself."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.deploy.answers import curl_in
from tests.deploy.clone import Clone
from tests.servers.guardian import guardian
from tests.support.waiting import wait_until_blocking

READY = "Ctrl-C ends the demo"

START_S = 30.0
END_S = 15.0


class Running:
    """A command of a clone, in a session of its own, as a terminal gives it."""

    def __init__(self, where: Clone, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.clone = where
        self._output = where.folder / "output"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=where.project,
                env={**where.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=where.uid,
                group=where.uid,
                extra_groups=None if where.uid is None else [],
                start_new_session=True,
            )
        guardian().watch(self._process.pid)

    @property
    def pid(self) -> int:
        """Of the command itself."""
        return self._process.pid

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self._output.read_text(errors="replace")

    def wait_ready(self) -> None:
        """Returns once it answers. Raises AssertionError with what it said instead."""
        wait_until_blocking(lambda: READY in self.output or self._ended(), START_S, "the demo to be ready")
        assert READY in self.output, self.output

    def press_ctrl_c(self) -> None:
        """As a terminal does: to everything in its foreground."""
        os.killpg(self.pid, signal.SIGINT)

    def wait(self, timeout_s: float = END_S) -> int:
        """The exit status. Raises subprocess.TimeoutExpired."""
        status = self._process.wait(timeout_s)
        guardian().forget(self.pid)
        return status

    def child(self, pattern: str) -> int:
        """The process of this run whose command line matches."""
        found = [pid for pid, command in self.clone.process_ids() if re.search(pattern, command)]
        assert len(found) == 1, self.clone.processes()
        return found[0]

    def curl(self) -> str:
        """The command that it printed to be pasted."""
        return curl_in(self.output)

    def end(self) -> None:
        """Whatever a failed test has left."""
        if not self._ended():
            os.killpg(self.pid, signal.SIGTERM)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)  # `make` would leave the demo behind
                raise

    def _ended(self) -> bool:
        return self._process.poll() is not None


@contextmanager
def running(where: Clone, *command: str, **environ: str) -> Iterator[Running]:
    """The command, with `environ` beside the clone's, ended at the latest when the context is left."""
    run = Running(where, command, environ)
    try:
        yield run
    finally:
        run.end()
