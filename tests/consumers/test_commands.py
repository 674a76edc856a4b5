"""What every program says of itself, and each command of a Redis or a port that it can't have: one line, and an end."""

import os
import pkgutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import consumers
import service
from service.version import VERSION
from tests.servers.ports import free_port
from tests.servers.redis_server import RedisServer

PASSWORD = "n0t-the-0ne"


def programs() -> list[str]:
    """Every module that `python -m` runs."""
    found = []
    for package in (consumers, service):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            spec = find_spec(module.name)
            assert spec is not None
            assert spec.origin is not None
            if 'if __name__ == "__main__":' in Path(spec.origin).read_text():
                found.append(module.name.removesuffix(".__main__"))
    return sorted(found)


def run(*command: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    environ = os.environ | {f"TICKET_COUNTS_{name}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", *command], env=environ, input="", capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("program", programs())
def test_every_program_says_its_version(program: str) -> None:
    said = run(program, "--version")
    assert (said.stdout, said.stderr, said.returncode) == (f"ticket-counts {VERSION}\n", "", 0)


def test_there_are_programs() -> None:
    assert {"consumers", "consumers.publish", "consumers.audit", "service", "service.token"} <= {*programs()}


TOOLS = (
    ("consumers.publish", "--until-applied"),
    ("consumers.catalogue", "show", "--tenant", "acme"),
    ("consumers.catalogue", "unknown"),
    ("consumers.audit",),
    ("consumers.rebuild",),
)


def complaint(tool: tuple[str, ...], url: str) -> str:
    """The first line that the tool says of this Redis; it ends by itself, with a status that says so."""
    ended = run(*tool, REDIS=url, KAFKA=f"127.0.0.1:{free_port()}", REDIS_TIMEOUT_S="5")
    assert ended.returncode in (1, 3), ended.stderr
    assert PASSWORD not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
    first, *rest = ended.stderr.splitlines()
    assert all(line.startswith("stopped; published") for line in rest), ended.stderr
    return first


@pytest.mark.parametrize("tool", TOOLS, ids=" ".join)
def test_a_wrong_password_a_wrong_port_and_a_wrong_host_are_one_line_each_and_the_end(
    tool: tuple[str, ...], redis_process: RedisServer
) -> None:
    with redis_process.client() as client:
        client.config_set("requirepass", "right")
    where, nowhere = f"127.0.0.1:{redis_process.port}", f"127.0.0.1:{free_port()}"
    refused = complaint(tool, f"redis://:{PASSWORD}@{where}/0")
    assert refused.startswith(f"TICKET_COUNTS_REDIS: Redis at {where}: invalid username-password pair")
    assert complaint(tool, f"redis://{where}/0") == f"TICKET_COUNTS_REDIS: Redis at {where}: Authentication required."
    closed = f"TICKET_COUNTS_REDIS: Redis at {nowhere}: Connection refused"
    assert complaint(tool, f"redis://:{PASSWORD}@{nowhere}/0") == closed
    unknown = complaint(tool, f"redis://:{PASSWORD}@no-such-host.invalid:6379/0")
    assert unknown.startswith("TICKET_COUNTS_REDIS: Redis at no-such-host.invalid:6379: ")
    in_a_cluster = complaint(tool, f"redis+cluster://:{PASSWORD}@{nowhere}")
    assert in_a_cluster.startswith("TICKET_COUNTS_REDIS: Redis: no server ")
    assert in_a_cluster.endswith(f"; Redis at {nowhere}: Connection refused")


@pytest.mark.parametrize("program", ["consumers", "service"])
def test_a_port_that_another_program_has_is_one_line_that_names_the_setting(program: str) -> None:
    setting = {"consumers": "METRICS_PORT", "service": "PORT"}[program]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(program, **{setting: port}, REDIS=f"redis://127.0.0.1:{free_port()}/0")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert f"TICKET_COUNTS_{setting}: can't listen" in ended.stderr
    assert "Address already in use" in ended.stderr


def test_a_metrics_address_that_is_none_of_this_machine_is_too() -> None:
    ended = run("consumers", METRICS_HOST="no-such-host.invalid")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    assert "TICKET_COUNTS_METRICS_HOST" in ended.stderr
