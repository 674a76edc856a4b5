"""A shared server is started once, and lives until the last of those that use it has left."""

import os
import signal
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired

import pytest

from tests.servers.sharing import shared

PROGRAM = """
    import sys
    from contextlib import contextmanager
    from pathlib import Path
    from tests.servers.sharing import shared

    @contextmanager
    def serve():
        yield sys.argv[2]
        print("ended", flush=True)

    with shared(Path(sys.argv[1]), serve) as address:
        print(address, flush=True)
        sys.stdin.readline()
"""


@contextmanager
def user(directory: Path, own: str) -> Iterator[Popen[str]]:
    """A process that uses the shared server, or serves `own`, until it is given a line."""
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(directory), own]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)


def said(process: Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def leave(process: Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_the_first_starts_it_and_ends_it_after_the_last_has_left(tmp_path: Path) -> None:
    with user(tmp_path, "first") as first, user(tmp_path, "second") as second:
        addresses = {said(first), said(second)}
        assert len(addresses) == 1, "both have the same one"
        owner, guest = (first, second) if addresses == {"first"} else (second, first)
        leave(owner)
        with pytest.raises(TimeoutExpired):
            owner.wait(timeout=0.5)
        leave(guest)
        assert said(owner) == "ended"
        assert guest.wait(timeout=30) == owner.wait(timeout=30) == 0
        with user(tmp_path, "third") as third:
            assert said(third) == "third", "who comes later starts another"
            leave(third)
            assert said(third) == "ended"


def test_one_process_alone_has_its_own(tmp_path: Path) -> None:
    ended = []

    @contextmanager
    def serve() -> Iterator[str]:
        yield "here"
        ended.append("here")

    with shared(tmp_path, serve) as address:
        assert address == "here"
    assert ended == ["here"]
