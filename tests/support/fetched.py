"""What tests need and others publish: fetched once per user, by a lock file's hashes. Never a run's own, never half.

Where it comes from is the setting of npm, pip and Maven themselves.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

FETCH_S = 300.0
"""43 MB at most, some seconds where the registry is near."""

SAID = 2_000
"""Characters of what a tool has said that are shown."""


class NotFetched(Exception):
    """It can't be had here; the message says why. Skip what needs it with that as the reason, or fail."""


def node_modules(locked: Path) -> Path:
    """The npm packages of the `package-lock.json` in a folder. Raises NotFetched."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotFetched("needs npm on PATH")

    def fetch(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(locked / name, folder)
        # Without scripts: what these packages are is in their files.
        run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    return fetched(f"npm-{_digest(locked / 'package-lock.json')}", fetch) / "node_modules"


def python_packages(lock: Path) -> Path:
    """The packages of a lock file, for PYTHONPATH. Raises NotFetched."""

    def fetch(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
        run([*pip, "--require-hashes", "--target", str(folder), "-r", str(lock)], folder)

    return fetched(f"python-{_digest(lock)}", fetch)


def fetched(name: str, fetch: Callable[[Path], None]) -> Path:
    """The folder of that name, which `fetch` fills if this user has none yet. Raises what that does."""
    target = cached(name)
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetching-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        fetch(made)
        try:
            made.rename(target)  # all or nothing: a run beside us sees the whole folder or none
        except OSError:
            if not target.is_dir():  # else the run beside us was faster
                raise
    return target


def cached(name: str) -> Path:
    """Where a folder of that name is, or will be."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ticket-counts" / name


def run(command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> None:
    """Runs a tool that fetches. Raises NotFetched with what it said."""
    tool = Path(command[0]).name
    try:
        done = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=FETCH_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotFetched(f"{tool} hasn't fetched what it should within {FETCH_S:.0f} s") from None
    if done.returncode != 0:
        raise NotFetched(f"{tool} can't fetch what it should:\n{(done.stdout + done.stderr).strip()[-SAID:]}")


def _digest(lock: Path) -> str:
    """Another lock, another folder."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
