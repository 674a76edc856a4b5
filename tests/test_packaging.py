"""The frame holds: import contracts break when they should, and the wheel carries all that a process needs."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from service.version import VERSION

ROOT = Path(__file__).parents[1]
PACKAGES = ("service", "consumers", "deploy")
IMPORT_NAMES = {"pyjwt": "jwt"}  # where the name to import isn't the name to install
DOMAIN_MAY_IMPORT = {"msgspec"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("service/domain/intruder.py", "import redis"),
        ("service/domain/intruder.py", "import time"),
        ("service/domain/intruder.py", "import service.store"),
        ("service/domain/tickets/intruder.py", "import service.domain.conditions"),
        ("service/domain/counting/intruder.py", "import service.domain.catalogue"),
        ("service/store/intruder.py", "import service.web"),
        ("service/store/intruder.py", "import service.queries"),
        ("service/store/ports/intruder.py", "import service.store.client"),
        ("service/queries/intruder.py", "import redis"),
        ("service/queries/intruder.py", "import service.store.redis"),
        ("service/web/http/intruder.py", "import service.web.api"),
        ("service/web/intruder.py", "import consumers"),
        ("service/intruder.py", "import aiokafka"),
        ("consumers/intruder.py", "import service.web"),
        ("consumers/engine/intruder.py", "import consumers.ingest"),
        ("consumers/engine/intruder.py", "import aiokafka"),
        ("consumers/decoding/intruder.py", "import consumers.dead_letters"),
        ("consumers/ingest/intruder.py", "import consumers.rebuild"),
        ("consumers/intruder.py", "import starlette.responses"),
    ],
)
def test_an_import_against_the_grain_breaks_the_contract(tmp_path: Path, module: str, statement: str) -> None:
    for package in PACKAGES:
        for folder in ROOT.glob(f"{package}/**/__init__.py"):
            copy = tmp_path / folder.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert _lint_imports(tmp_path).returncode == 0
    (tmp_path / module).write_text(f"{statement}\n")
    broken = _lint_imports(tmp_path)
    assert broken.returncode == 1
    assert "intruder" in broken.stdout


def test_the_domain_contract_names_every_dependency(project: dict[str, Any]) -> None:
    contracts = project["tool"]["importlinter"]["contracts"]
    [forbidden] = [
        set(each["forbidden_modules"]) for each in contracts if each.get("source_modules") == ["service.domain"]
    ]
    names = {re.split(r"[^A-Za-z0-9_-]", each)[0].lower() for each in project["project"]["dependencies"]}
    modules = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}
    assert modules - forbidden == DOMAIN_MAY_IMPORT


@pytest.mark.parametrize("lock", ["deploy/requirements.lock", "tests/requirements.lock"])
def test_lock_files_pin_by_hash_and_name_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|--index-url|--find-links", text)
    pins = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert pins
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=50)
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_carries_every_file_of_the_packages(wheel: Path) -> None:
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if not name.startswith("ticket_counts-")}
    assert carried == {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {f"{package}/py.typed" for package in PACKAGES} <= carried


def test_an_installed_wheel_has_the_console_script(wheel: Path, tmp_path: Path) -> None:
    install = [sys.executable, "-m", "uv", "--quiet", "pip", "install", "--offline", "--no-deps", "--no-config"]
    subprocess.run([*install, "--target", str(tmp_path), str(wheel)], check=True, capture_output=True, timeout=50)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "TICKET_COUNTS_PORT": "wrong"}

    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(tmp_path / "bin" / "ticket-counts"), *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=50, check=False
        )

    assert ran("--version").stdout == ran("serve", "--version").stdout == f"ticket-counts {VERSION}\n"
    refused = ran("serve")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "TICKET_COUNTS_PORT: must be a whole number from 0 to 65535, not 'wrong'\n"
    made = ran("token", "--new-key", "--key", "key.pem")
    assert (made.returncode, made.stderr) == (0, "")
    assert (tmp_path / "key.pem").exists()


def _lint_imports(project: Path) -> subprocess.CompletedProcess[str]:
    lint = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [lint, "--no-cache", "--no-logo"], cwd=project, capture_output=True, text=True, timeout=50, check=False
    )
