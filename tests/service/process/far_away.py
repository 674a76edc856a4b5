"""A second network on this machine, with a link to it that can be cut: nobody there hears or says anything any more.

A network namespace of its own, so nothing else on the machine is touched; needs root and `ip`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE, THERE = "10.203.77.1", "10.203.77.2"
"""Of a private network that is in nobody's way."""


def ip(*arguments: str) -> None:
    """Runs it. Raises CalledProcessError."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=10)


class FarAway:
    """The other side of the link."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._programs: list[subprocess.Popen[bytes]] = []

    def run(self, script: Path, arguments: Sequence[str], stdin: bytes) -> "subprocess.Popen[bytes]":
        """Starts a Python program there; it is ended with the network."""
        command = ["ip", "netns", "exec", self.name, sys.executable, str(script), *arguments]
        program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert program.stdin is not None
        program.stdin.write(stdin)
        program.stdin.close()
        self._programs.append(program)
        return program

    def cut(self) -> None:
        """From now on whatever is sent there, or from there, is lost."""
        ip("-n", self.name, "link", "set", "far", "down")

    def close(self) -> None:
        """Ends its programs."""
        for program in self._programs:
            program.kill()
            program.wait(10)
            assert program.stdout is not None
            program.stdout.close()


@contextmanager
def far_away() -> Iterator[FarAway]:
    """Skips the test where no such network can be made."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and `ip` for a network namespace of its own")
    name = f"tc-far-{os.getpid()}"
    near = f"tcn{os.getpid() % 10_000_000}"
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as refused:
        pytest.skip(f"no network namespace can be made here: {refused.stderr.decode().strip()}")
    there = FarAway(name)
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", "far", "netns", name)
        ip("addr", "add", f"{HERE}/30", "dev", near)
        ip("link", "set", near, "up")
        ip("-n", name, "addr", "add", f"{THERE}/30", "dev", "far")
        ip("-n", name, "link", "set", "far", "up")
        yield there
    finally:
        there.close()
        # The link by itself: connections that were cut off keep the network alive for minutes, and the address with it.
        subprocess.run(["ip", "link", "del", near], check=False, capture_output=True, timeout=10)
        ip("netns", "del", name)
