"""The clients that panels' plug-ins use, as their authors published them, once per user. Never changes one.

Versions and hashes are in the lock files beside this; what isn't there yet is fetched by npm and pip.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parent / "clients"
FETCH_S = 120.0  # 40 small packages: some seconds where the registry is near
CALL_S = 30.0

NODE, NPM, PHP = shutil.which("node"), shutil.which("npm"), shutil.which("php")


def node_modules() -> Path:
    """The npm packages. Skips the test where there is no npm."""
    if not (NODE and NPM):
        pytest.skip("needs node and npm on PATH")
    return _fetched("npm", "package-lock.json", _npm_ci) / "node_modules"


def python_packages() -> Path:
    """The Python packages, for PYTHONPATH. Skips the test where there is no pip."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("needs pip in this Python")
    return _fetched("python", "requirements.lock", _pip_install)


def run_node(script: str, environ: Mapping[str, str]) -> str:
    """What the script prints."""
    return _run([str(NODE), str(CLIENTS / script)], {"NODE_PATH": str(node_modules()), **environ})


def run_python(script: str, environ: Mapping[str, str]) -> str:
    """What the script prints."""
    return _run([sys.executable, str(CLIENTS / script)], {"PYTHONPATH": str(python_packages()), **environ})


def run_php(script: str, environ: Mapping[str, str]) -> str:
    """What the script prints. Skips the test where there is no PHP with curl."""
    if not PHP or "curl" not in _run([PHP, "-m"], {}).split():
        pytest.skip("needs php with its curl extension on PATH (Debian: php-cli php-curl)")
    return _run([PHP, str(CLIENTS / script)], environ)


def _run(command: list[str], environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=CALL_S, check=False
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _fetched(kind: str, lock: str, fetch: Callable[[Path], None]) -> Path:
    """The folder with what the lock file names: another lock, another folder, and never half a one."""
    digest = hashlib.sha256((CLIENTS / lock).read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ticket-counts"
    target = cache / f"panel-clients-{kind}-{digest}"
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        fetch(made)
        try:
            made.rename(target)
        except OSError:
            if not target.is_dir():  # else a run beside us was faster
                raise
    return target


def _npm_ci(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(CLIENTS / name, folder)
    # Without scripts: what these packages are is in their files.
    _fetch([str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)], folder)


def _pip_install(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    _fetch([*pip, "--require-hashes", "--target", str(folder), "-r", str(CLIENTS / "requirements.lock")], folder)


def _fetch(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_S, check=False)
    assert done.returncode == 0, f"{command} can't fetch:\n{(done.stdout + done.stderr)[-2000:]}"
