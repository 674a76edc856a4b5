"""axe-core, which judges a page's accessibility: fetched once per user, its version and its bytes pinned by a lock."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from selenium import webdriver

LOCK = Path(__file__).parent / "axe"
FETCH_S = 120.0
SERIOUS = ("serious", "critical")


class NotFetched(Exception):
    """There is no npm, or it couldn't fetch the package: the message says what it said."""


def axe_script() -> str:
    """The script. Raises NotFetched."""
    folder = _cache() / "axe-core-4.14.1"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        _fetch(folder)
    return script.read_text()


def findings(driver: webdriver.Chrome, script: str) -> list[str]:
    """What is seriously wrong with the page as it is now, each with the elements it is about."""
    driver.execute_script(script)
    found: dict[str, Any] = driver.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then(arguments[0], (e) => arguments[0]({error: String(e)}))"
    )
    assert "error" not in found, found
    assert len(found["passes"]) > 5, "it has judged something"
    return [
        f"{each['impact']} {each['id']}: {[node['html'][:200] for node in each['nodes']]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ticket-counts"


def _fetch(target: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotFetched("no npm on PATH, and axe-core wasn't fetched before")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetching-") as scratch:
        folder = Path(scratch) / "axe"
        shutil.copytree(LOCK, folder)
        # The lock names no registry: whoever runs this has their own.
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_S, check=False)
        except subprocess.TimeoutExpired:
            raise NotFetched(f"npm hasn't fetched axe-core within {FETCH_S:.0f} s") from None
        if done.returncode != 0:
            raise NotFetched(f"npm can't fetch axe-core: {done.stderr[-500:]}")
        try:
            folder.rename(target)  # all or nothing: a run beside us sees the whole folder or none
        except OSError:
            if not target.is_dir():  # else the run beside us was faster
                raise
