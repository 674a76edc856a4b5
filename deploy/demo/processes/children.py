"""Starts, watches and ends child processes. Knows nothing of their work."""

import asyncio
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from deploy.demo.processes.reaper import Reaper

TAIL_LINES = 20
"""The number of log lines in the message about a child that ended by itself: its reason is in the last ones."""


class ChildEnded(Exception):
    """A child ended by itself; the message has its name, its status and the end of its log."""


class _Child(NamedTuple):
    name: str
    process: asyncio.subprocess.Process
    log: Path
    grace_s: float


class Children:
    """The children of the demo. Each has its own session, so that Ctrl-C reaches only the demo, which ends them."""

    def __init__(self, folder: Path, reaper: Reaper) -> None:
        self._folder = folder
        self._reaper = reaper
        self._started: list[_Child] = []
        self._waiting: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[_Child] = asyncio.get_running_loop().create_future()

    async def start(
        self, name: str, command: Sequence[str], *, environ: Mapping[str, str] | None = None, grace_s: float
    ) -> None:
        """Starts a program that logs to `<name>.log`. `end` kills it `grace_s` after SIGTERM. Raises OSError."""
        log = self._folder / f"{name}.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env=None if environ is None else dict(environ),
                start_new_session=True,
            )
        self._reaper.watch(process.pid)
        child = _Child(name, process, log, grace_s)
        self._started.append(child)
        waiting = asyncio.create_task(self._wait(child))
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)

    async def watch(self) -> NoReturn:
        """Waits for ever. Raises ChildEnded as soon as a child ends."""
        raise _child_ended(await self._ended)

    async def end(self) -> None:
        """Ends the children, the last started first, and kills those that take longer than their grace period."""
        for child in reversed(self._started):
            if child.process.returncode is None:
                _signal(child, signal.SIGTERM)
                try:
                    async with asyncio.timeout(child.grace_s):
                        await child.process.wait()
                except TimeoutError:
                    _signal(child, signal.SIGKILL)
                    await child.process.wait()
            self._reaper.forget(child.process.pid)
        self._started.clear()

    async def _wait(self, child: _Child) -> None:
        await child.process.wait()
        if not self._ended.done():
            self._ended.set_result(child)


def _signal(child: _Child, number: signal.Signals) -> None:
    """Sends the signal to the child's session, so that its own children end too."""
    os.killpg(child.process.pid, number)


def _child_ended(child: _Child) -> ChildEnded:
    status = child.process.returncode or 0
    how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
    with child.log.open(errors="replace") as log:
        tail = "".join(f"  {line}" for line in deque(log, TAIL_LINES))
    return ChildEnded(f"{child.name} ended {how}; its log ends:\n{tail.rstrip() or '  (the log is empty)'}")
