"""The documents' fenced blocks, and a shell that runs them one after another as a reader would. Judges nothing.

A block marked `sh` is run; `make demo` stays running beside the others until the document's end. A `json` block
right after one is what it must have printed, at least. `sh docker` is run where there is an engine, by `test_compose`;
`sh redis` where Redis is installed, by `tests/journeys/trouble/test_backup.py`.
`text` is only read. No other kind may hold commands.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.deploy.clone import Clone
from tests.servers.guardian import guardian
from tests.support.waiting import wait_until_blocking

BLOCK_S = 30.0

FENCE = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block."""

    kind: str
    text: str
    shown: str = ""
    """Of a `sh` block, the `json` one right after it."""
    says_shortened: bool = False
    """Whether the words right after that `json` block say that it isn't the whole answer."""


def blocks_of(document: Path) -> list[Block]:
    """All of them, in order."""
    written, blocks, end = document.read_text(), list[Block](), 0
    for found in FENCE.finditer(written):
        block = Block(found["kind"].strip(), found["text"])
        if blocks and blocks[-1].kind == "sh" and block.kind == "json" and not written[end : found.start()].strip():
            shortened = written[found.end() :].lstrip().casefold().startswith("(shortened")
            blocks[-1] = blocks[-1]._replace(shown=block.text, says_shortened=shortened)
        blocks.append(block)
        end = found.end()
    return blocks


class Shell:
    """A bash in a clone that keeps its directory and variables from block to block, and ends at the first failure."""

    def __init__(self, where: Clone) -> None:
        self._folder = where.folder
        self._number = 0
        self._errors = where.folder / "shell.errors"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                ["bash", "-euo", "pipefail"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                text=True,
                cwd=where.project,
                # A reader has the project's Python at hand.
                env={**where.environ, "PATH": f"{where.project}/.venv-demo/bin:{where.environ['PATH']}"},
                start_new_session=True,
            )
        guardian().watch(self._process.pid)

    def run(self, block: str) -> str:
        """What it prints. Raises AssertionError with what it says on stderr when it fails or takes too long."""
        self._number += 1
        output, done = (self._folder / f"{name}-{self._number}" for name in ("output", "done"))
        assert self._process.stdin is not None
        self._process.stdin.write(f"{{\n{block}\n}} > '{output}'\ntouch '{done}'\n")
        self._process.stdin.flush()
        wait_until_blocking(lambda: done.exists() or self._process.poll() is not None, BLOCK_S, f"this:\n{block}")
        assert done.exists(), f"{block}\nfailed:\n{self._errors.read_text()}"
        return output.read_text()

    def close(self) -> None:
        """Ends it, with whatever a block that failed has left in the background."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(BLOCK_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            guardian().forget(self._process.pid)


@contextmanager
def shell(where: Clone) -> Iterator[Shell]:
    """One that is ended when the context is left."""
    opened = Shell(where)
    try:
        yield opened
    finally:
        opened.close()
