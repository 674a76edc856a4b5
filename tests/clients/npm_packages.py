"""The npm packages that tests are clients with, where there is a Node.js that runs them."""

import re
import subprocess
from pathlib import Path

from tests.support import fetched
from tests.support.fetched import NotFetched

HERE = Path(__file__).parent

OLDEST_NODE = (18, 17)
"""What the packages run on."""


def node_modules() -> Path:
    """The folder with the packages. Raises NotFetched."""
    if _node_version() < OLDEST_NODE:
        raise NotFetched(f"needs Node.js {'.'.join(map(str, OLDEST_NODE))} or newer on PATH")
    return fetched.node_modules(HERE)


def _node_version() -> tuple[int, ...]:
    try:
        said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    except OSError:
        return ()
    return tuple(int(number) for number in re.findall(r"\d+", said)[:2])
