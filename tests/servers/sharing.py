"""One server for all workers of a run: the first that needs it starts it, and ends it after the last has left."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.servers.guardian import guardian

_DIRECTORY_VARIABLE = "TICKET_COUNTS_TEST_SHARED"
"""Set for the workers by the process that hands out tests."""


def share_with_workers(config: pytest.Config) -> None:
    """Called before workers start: tells them where they meet."""
    if config.getoption("numprocesses", None):
        os.environ[_DIRECTORY_VARIABLE] = str(guardian().directory)


def shared_directory() -> Path:
    """A folder that all workers of this run have in common; this process' own where there is only one."""
    return Path(os.environ.get(_DIRECTORY_VARIABLE) or guardian().directory)


@contextmanager
def shared(directory: Path, serve: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """The address of the server that `serve` runs, for every process that enters with this directory.

    Whoever started it waits at the end until the others have left; who comes later than that starts another.
    """
    directory.mkdir(parents=True, exist_ok=True)
    address_file = directory / "address"
    with ExitStack() as stack:
        users = stack.enter_context((directory / "users").open("w"))
        fcntl.flock(users, fcntl.LOCK_SH)
        is_owner = False
        with (directory / "starting").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            if not address_file.exists():
                is_owner = True
                address_file.write_text(stack.enter_context(serve()))
        yield address_file.read_text()
        if is_owner:
            fcntl.flock(users, fcntl.LOCK_EX)
            address_file.unlink()
