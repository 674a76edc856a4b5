"""A copy of the project in which one file at a time is changed. The original is never touched."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.mutations.mutation import ROOT, Mutation

PACKAGES = ("service", "consumers", "deploy")


class NotTheCopy(Exception):
    """Python in the copy imports the code of another place, so that no mutation would be seen."""


class Tree:
    """A copy of all files that Git knows or would add."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():  # not one that is deleted and still in the index
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)

    @property
    def environ(self) -> Mapping[str, str]:
        """In which Python finds the copy's modules before those of the editable install.

        A walk inside of a worker of another run isn't part of that.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
        return {**inherited, "PYTHONPATH": str(self.folder)}

    def check(self) -> None:
        """Raises NotTheCopy."""
        code = f"import {', '.join(PACKAGES)}; print(*[p.__file__ for p in ({', '.join(PACKAGES)})], sep='\\n')"
        said = subprocess.run(
            (sys.executable, "-c", code), cwd=self.folder, env=self.environ, check=True, capture_output=True, text=True
        )
        for file in said.stdout.splitlines():
            if not Path(file).resolve().is_relative_to(self.folder.resolve()):
                raise NotTheCopy(file)

    @contextmanager
    def mutated(self, mutation: Mutation) -> Iterator[None]:
        """The copy is without the guard meanwhile. Raises DoesNotApply."""
        path = self.folder / mutation.file
        before = path.read_text("utf-8")
        after = mutation.applied(before)
        try:
            self._write(path, after)
            yield
        finally:
            self._write(path, before)

    def _write(self, path: Path, text: str) -> None:
        """Python compares the second and the size only, so compiled code of the other text has to go."""
        path.write_text(text, "utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()
        # What hypothesis has found without one guard must not help it to find another one.
        shutil.rmtree(self.folder / ".hypothesis", ignore_errors=True)
