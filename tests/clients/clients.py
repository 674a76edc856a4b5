"""Real clients of event streams, each a program or a browser of its own. Opens what it is told, and judges nothing."""

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.clients.heard import Heard, lines_of
from tests.clients.npm_packages import node_modules

HERE = Path(__file__).parent

HEADLESS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
"""Also as root and in a container; and it asks nobody outside for anything."""


class Opening(Protocol):
    """A stream to open: by headers, or for a browser by a ticket in the URL alone."""

    @property
    def stream(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


class Client(Protocol):
    """One client with several streams."""

    by_ticket: bool

    def open(self, asked: Sequence[Opening]) -> None:
        """Opens them all."""

    def heard(self) -> Mapping[str, Heard]:
        """By stream, so far."""

    def close(self) -> None:
        """Ends it."""


class ProgramClient:
    """A program that reads what to open as a line of JSON and prints what happens as lines of JSON."""

    by_ticket = False

    def __init__(self, command: Sequence[str], output: Path) -> None:
        self._output = output
        with output.open("wb") as out, output.with_suffix(".errors").open("wb") as errors:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=errors)

    def open(self, asked: Sequence[Opening]) -> None:
        assert self._process.stdin is not None
        line = [{"stream": one.stream, "url": one.url, "headers": dict(one.headers)} for one in asked]
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        self._process.stdin.flush()

    def heard(self) -> Mapping[str, Heard]:
        found: dict[str, Heard] = defaultdict(Heard)
        for said in lines_of(self._output.read_text()):
            found[said["stream"]].take(said)
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Chromium:
    """The browser's own `EventSource`, in a page of the service itself."""

    by_ticket = True

    def __init__(self, page: str, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for argument in (*HEADLESS, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        self.driver = webdriver.Chrome(options, Service(shutil.which("chromedriver") or ""))
        self.driver.get(page)
        self.driver.execute_script("window.said = []")

    def open(self, asked: Sequence[Opening]) -> None:
        for one in asked:
            self.driver.execute_script(OPEN, one.stream, one.url)

    def heard(self) -> Mapping[str, Heard]:
        found: dict[str, Heard] = defaultdict(Heard)
        for said in self.driver.execute_script("return window.said"):
            found[said["stream"]].take(said)
        return found

    def close(self) -> None:
        self.driver.quit()


OPEN = """
const [stream, url] = arguments;
const source = new EventSource(url);
for (const name of ["snapshot", "counts", "current", "heartbeat", "bye"]) {
  source.addEventListener(name, (event) => said.push({ stream, name, id: event.lastEventId, data: event.data }));
}
source.addEventListener("error", () => said.push({ stream, closed: source.readyState === EventSource.CLOSED }));
"""


def has_chromium() -> bool:
    """Whether the browser and its driver are here."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


def npm_client(package: str, folder: Path) -> ProgramClient:
    """An `EventSource` of an npm package. Raises NotFetched."""
    modules = node_modules()
    command = ["node", str(HERE / "event_source.mjs"), package, str(modules)]
    return ProgramClient(command, folder / f"{package}.lines")


def python_client(module: str, folder: Path) -> ProgramClient:
    """One of the Python packages."""
    return ProgramClient([sys.executable, str(HERE / f"{module}.py")], folder / f"{module}.lines")
