"""npm packages that tests are clients with, once per user. Never a run's own copy, never half a folder.

Versions and hashes are those of the lock file beside this; where they come from is npm's own setting.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent

OLDEST_NODE = (18, 17)
"""What the packages run on."""

FETCH_S = 120.0
"""Three small packages: seconds where the index is near."""


class NoPackages(Exception):
    """The packages can't be had here: skip what needs them, with this as the reason."""


def node_modules() -> Path:
    """The folder with the packages, fetched if this user has none yet. Raises NoPackages."""
    if _node_version() < OLDEST_NODE:
        raise NoPackages(f"needs Node.js {'.'.join(map(str, OLDEST_NODE))} or newer on PATH")
    lock = (HERE / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ticket-counts"
    target = cache / f"npm-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not target.is_dir():
        _fetch(target)
    return target / "node_modules"


def _fetch(target: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NoPackages("needs npm on PATH")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetching-") as scratch:
        folder = Path(scratch) / "packages"
        folder.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_S, check=False)
        except subprocess.TimeoutExpired:
            raise NoPackages(f"npm has not fetched the packages within {FETCH_S} s") from None
        if done.returncode != 0:
            raise NoPackages(f"npm can't fetch the packages: {done.stderr.strip()[-500:]}")
        try:
            folder.rename(target)  # all or nothing: a run beside us sees the whole folder or none
        except OSError:
            if not target.is_dir():  # else the run beside us was faster
                raise


def _node_version() -> tuple[int, ...]:
    try:
        said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    except OSError:
        return ()
    return tuple(int(number) for number in re.findall(r"\d+", said)[:2])
