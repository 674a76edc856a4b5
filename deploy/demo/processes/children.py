"""The processes of the demo: started, watched and ended together. Knows nothing of what they do."""

import asyncio
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from deploy.demo.processes.reaper import Reaper

TAIL_LINES = 20
"""Of the log of a process that ended by itself: the reason is in the last ones."""


class ChildEnded(Exception):
    """A process ended though nobody asked it to; the message says which, how, and the end of its log."""


class _Child(NamedTuple):
    name: str
    process: asyncio.subprocess.Process
    log: Path
    grace_s: float


class Children:
    """Each child is in a session of its own: Ctrl-C reaches the demo alone, which ends them in its order."""

    def __init__(self, folder: Path, reaper: Reaper) -> None:
        self._folder = folder
        self._guardian = reaper
        self._started: list[_Child] = []
        self._waiting: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[_Child] = asyncio.get_running_loop().create_future()

    async def start(
        self, name: str, command: Sequence[str], *, environ: Mapping[str, str] | None = None, grace_s: float
    ) -> None:
        """Starts a program that logs into the folder; `grace_s` is how long its end may take. Raises OSError."""
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
        self._guardian.watch(process.pid)
        child = _Child(name, process, log, grace_s)
        self._started.append(child)
        waiting = asyncio.create_task(self._wait(child))
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)

    async def watch(self) -> NoReturn:
        """Waits for ever. Raises ChildEnded as soon as one of them ends."""
        raise _unasked(await self._ended)

    async def end(self) -> None:
        """Ends the last started first, kills what takes too long, and returns when all are gone."""
        for child in reversed(self._started):
            if child.process.returncode is None:
                _signal(child, signal.SIGTERM)
                try:
                    async with asyncio.timeout(child.grace_s):
                        await child.process.wait()
                except TimeoutError:
                    _signal(child, signal.SIGKILL)
                    await child.process.wait()
            self._guardian.forget(child.process.pid)
        self._started.clear()

    async def _wait(self, child: _Child) -> None:
        await child.process.wait()
        if not self._ended.done():
            self._ended.set_result(child)


def _signal(child: _Child, number: signal.Signals) -> None:
    """To the whole session: what a child started ends with it."""
    os.killpg(child.process.pid, number)


def _unasked(child: _Child) -> ChildEnded:
    status = child.process.returncode or 0
    how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
    with child.log.open(errors="replace") as log:
        tail = "".join(f"  {line}" for line in deque(log, TAIL_LINES))
    return ChildEnded(f"{child.name} ended {how}; its log ends:\n{tail.rstrip() or '  (it said nothing)'}")
