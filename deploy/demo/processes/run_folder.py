"""Provides the folder of one demo run, for logs, the realm's key and the environment file. The caller removes it."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parents[3]

NAME = ".demo"
MOST_AT_ONCE = 9


class NoFolder(Exception):
    """There is no writable folder; the message says where."""


@contextmanager
def run_folder(project: Path = PROJECT) -> Iterator[Path]:
    """Yields an empty folder that only its owner may read, and locks it against other demos while the context is open.

    It is `.demo` in the project, or `.demo-2` and so on while other demos run; and a temporary folder for an installed
    package or a read-only project. Removes files that a killed demo left. Raises NoFolder.
    """
    inside = (project / "Makefile").exists() and os.access(project, os.W_OK)
    if not inside:
        yield _temporary()
        return
    names = [NAME, *(f"{NAME}-{number}" for number in range(2, MOST_AT_ONCE + 1))]
    for path in (project / name for name in names):
        lock = _lock(path)
        if lock is not None:
            try:
                yield path
            finally:
                os.close(lock)
            return
    raise NoFolder(f"{project / NAME} and those beside it are in use by other demos, or belong to another user")


def _lock(path: Path) -> int | None:
    """Makes or empties the folder and returns its open lock file; None if another demo or another user has it."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except PermissionError:
        return None
    except OSError as error:
        raise NoFolder(f"can't write to {path}: {error.strerror}") from None
    for each in path.iterdir():
        if each.name != "lock":
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    (path / ".gitignore").write_text("*\n")
    return lock


def _temporary() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="ticket-counts-demo-"))
    except OSError as error:
        raise NoFolder(f"can't write to {tempfile.tempdir or 'any temporary folder'}: {error.strerror}") from None
