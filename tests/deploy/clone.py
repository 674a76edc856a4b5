"""A copy of the tree as a fresh clone would be, a bare PATH beside it, and what a run in it leaves. Judges nothing."""

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]

PARTS = (
    "service", "consumers", "deploy", "docs", "Makefile", "pyproject.toml", "README.md", "LICENSE",
    "docker-compose.yml", ".dockerignore",
)  # fmt: skip

BARE = ("bash", "sh", "env", "make", "rm", "mkdir", "touch", "awk", "cat", "curl", "sleep", "grep")
"""All that the PATH has beside Python: neither Docker nor Java nor Redis."""

MARK = "DEMO_TEST_MARK"

NOT_A_READERS = ("VIRTUAL_ENV", "PYTHONPATH", "ARGS")
"""Variables that come from how the tests were started, `make test ARGS=…` among others."""

OTHER_UID = 60_001 + os.getpid() % 4_000
"""Nobody's: whatever belongs to it was made by the test, in this run."""


class Clone:
    """The copy in `folder / "clone"`, with a home and a folder for temporary files of its own."""

    def __init__(self, folder: Path, python: Path, uid: int | None) -> None:
        self.folder = folder
        self.project = folder / "clone"
        self.home = folder / "home"
        self.tmp = folder / "tmp"
        self.uid = uid
        self._mark = uuid.uuid4().hex
        self._bin = folder / "bin"
        for each in (self.project, self.home, self.tmp, self._bin):
            each.mkdir()
        for name in PARTS:
            _copy(ROOT / name, self.project / name)
        for name in BARE:
            if found := shutil.which(name):
                (self._bin / name).symlink_to(found)
        (self._bin / "python3").symlink_to(python)
        if uid is not None:
            folder.chmod(0o755)
            for path in (folder, *folder.rglob("*")):
                os.chown(path, uid, uid, follow_symlinks=False)

    @property
    def environ(self) -> dict[str, str]:
        """Of every process that is started in it."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TICKET_COUNTS_", "PYTEST_", "MAKE", "MFLAGS")) and name not in NOT_A_READERS
        }
        places = {"PATH": str(self._bin), "HOME": str(self.home), "TMPDIR": str(self.tmp)}
        return {**kept, **places, MARK: self._mark}

    def processes(self) -> list[str]:
        """The command lines of what still runs of what was started in it."""
        return [command for _, command in self.process_ids()]

    def process_ids(self) -> Iterator[tuple[int, str]]:
        """What runs of what was started in it: process id and command line."""
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    # Redis writes its title over its environment, so where a process stands counts too.
                    ours = process.joinpath("cwd").readlink().is_relative_to(self.folder)
                    ours |= f"{MARK}={self._mark}".encode() in (process / "environ").read_bytes().split(b"\0")
                    command = (process / "cmdline").read_bytes()
                except OSError:  # it has ended meanwhile, or is another user's
                    continue
                if ours and command:  # a zombie has none
                    yield int(process.name), command.replace(b"\0", b" ").decode()

    def files_outside(self) -> list[Path]:
        """What lies beside the project: temporary files, and in the home whatever isn't pip's own cache."""
        outside = [path for path in (*self.tmp.rglob("*"), *self.home.rglob("*")) if not path.is_dir()]
        outside = [path for path in outside if not path.is_relative_to(self.home / ".cache" / "pip")]
        if self.uid is not None:
            outside += [path for place in _SHARED if place.is_dir() for path in _owned(place, self.uid, self.folder)]
        return outside

    def new_in_project(self) -> set[str]:
        """Names at the top of the project that were not copied there."""
        return {path.name for path in self.project.iterdir()} - set(PARTS)

    def give_environment(self) -> None:
        """A `.venv-demo` that is ready, of the packages that the tests run with: nothing is downloaded."""
        venv, running = self.project / ".venv-demo", Path(sys.prefix)
        (venv / "bin").mkdir(parents=True)
        shutil.copy(running / "pyvenv.cfg", venv)
        (venv / "lib").symlink_to(running / "lib")
        for name in ("python", "python3"):
            (venv / "bin" / name).symlink_to(Path(sys.executable).resolve())
        (venv / ".ready").touch()


_SHARED = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))  # looked at, not written to


@contextmanager
def clone(python: Path, uid: int | None = None) -> Iterator[Clone]:
    """A copy for user `uid` (None: whoever runs the tests), removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="ticket-counts-clone-", ignore_cleanup_errors=True) as folder:
        yield Clone(Path(folder), python, uid)


def usable_python(candidates: Sequence[str] = ("python3.13", "python3.12", "python3.11", "python3")) -> Path | None:
    """A Python of the system that other users can run too, and that can make virtual environments."""
    for name in candidates:
        found = shutil.which(name, path="/usr/local/bin:/usr/bin")
        if found and _can_make_environments(Path(found)):
            return Path(found).resolve()
    return None


def _can_make_environments(python: Path) -> bool:
    asked = "import venv, ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", asked], capture_output=True, timeout=20, check=False).returncode == 0


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif source.exists():
        shutil.copy(source, target)


def _owned(place: Path, uid: int, but: Path) -> Iterator[Path]:
    for path in place.iterdir():
        if path != but and path.lstat().st_uid == uid:
            yield path
