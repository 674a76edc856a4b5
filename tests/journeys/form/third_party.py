"""The clients that panels' plug-ins use, as their authors published them. Never changes one.

Versions and hashes are in the lock files beside this.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import fetched

CLIENTS = Path(__file__).parent / "clients"
CALL_S = 30.0

NODE, NPM, PHP = shutil.which("node"), shutil.which("npm"), shutil.which("php")


def node_modules() -> Path:
    """The npm packages. Skips the test where there is no npm."""
    if not (NODE and NPM):
        pytest.skip("needs node and npm on PATH")
    return fetched.node_modules(CLIENTS)


def python_packages() -> Path:
    """The Python packages, for PYTHONPATH. Skips the test where there is no pip."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("needs pip in this Python")
    return fetched.python_packages(CLIENTS / "requirements.lock")


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
