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
from tests.servers.redis.redis_server import RedisServer
from tests.support.starting import start_here

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


@pytest.mark.parametrize("program", [*programs(), "deploy.publisher"])
def test_every_program_says_its_version_whatever_it_is_told(program: str) -> None:
    assert start_here(program, "--version", PORT="wrong") == (0, f"ticket-counts {VERSION}\n", "")


@pytest.mark.parametrize("program", ["consumers", "service", "deploy.local"])
def test_a_process_says_its_version_too(program: str) -> None:
    said = run(program, "--version", PORT="wrong")
    assert (said.returncode, said.stdout, said.stderr) == (0, f"ticket-counts {VERSION}\n", "")


def test_there_are_programs() -> None:
    assert {"consumers", "consumers.publish", "consumers.audit", "service", "service.token"} <= {*programs()}


TOOLS = (
    ("consumers.publish", "--until-applied"),
    ("consumers.catalogue", "show", "--tenant", "acme"),
    ("consumers.catalogue", "unknown"),
    ("consumers.audit",),
    ("consumers.rebuild",),
)

PROBLEMS = ("wrong password", "no password", "nobody listens", "no such host", "no cluster")


def complaint(tool: tuple[str, ...], url: str) -> str:
    """The first line that the tool says of this Redis; it ends by itself, with a status that says so."""
    ended = run(*tool, REDIS=url, KAFKA=f"127.0.0.1:{free_port()}", REDIS_TIMEOUT_S="5")
    assert ended.returncode in (1, 3), ended.stderr
    assert PASSWORD not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
    first, *rest = ended.stderr.splitlines()
    assert all(line.startswith("stopped; published") for line in rest), ended.stderr
    return first


# Each tool and each problem are met in `make test`, all of them together in `make test-all`.
@pytest.mark.parametrize(
    ("tool", "problem"),
    [
        pytest.param(tool, problem, marks=() if tool == TOOLS[0] or problem == PROBLEMS[0] else pytest.mark.exhaustive)
        for tool in TOOLS
        for problem in PROBLEMS
    ],
    ids=lambda one: one if isinstance(one, str) else " ".join(one),
)
def test_a_wrong_password_a_wrong_port_and_a_wrong_host_are_one_line_each_and_the_end(
    tool: tuple[str, ...], problem: str, redis_process: RedisServer
) -> None:
    with redis_process.client() as client:
        client.config_set("requirepass", "right")
    where, nowhere = f"127.0.0.1:{redis_process.port}", f"127.0.0.1:{free_port()}"
    url, said, end = {
        "wrong password": (f"redis://:{PASSWORD}@{where}/0", f"Redis at {where}: invalid username-password pair", ""),
        "no password": (f"redis://{where}/0", f"Redis at {where}: Authentication required.", "required."),
        "nobody listens": (f"redis://:{PASSWORD}@{nowhere}/0", f"Redis at {nowhere}: Connection refused", "refused"),
        "no such host": (
            f"redis://:{PASSWORD}@no-such-host.invalid:6379/0", "Redis at no-such-host.invalid:6379: ", ""
        ),
        "no cluster": (
            f"redis+cluster://:{PASSWORD}@{nowhere}", "Redis: no server ", f"; Redis at {nowhere}: Connection refused"
        ),
    }[problem]  # fmt: skip
    first = complaint(tool, url)
    assert first.startswith(f"TICKET_COUNTS_REDIS: {said}")
    assert first.endswith(end)


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
