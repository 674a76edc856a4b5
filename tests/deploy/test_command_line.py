"""`ticket-counts`: every program under a short name, with the arguments, output and status of `python -m`."""

import subprocess
import sys

import pytest

from deploy.command_line import PROGRAMS
from service.version import VERSION
from tests.support.starting import start_here

COMMAND_LINE = "deploy.command_line"


@pytest.mark.parametrize("command", PROGRAMS)
def test_a_command_is_the_program(command: str) -> None:
    module, meaning = PROGRAMS[command]
    for arguments in (("--help",), ("--version",), ("--no-such-option",)):
        assert start_here(COMMAND_LINE, command, *arguments) == start_here(module, *arguments)
    assert meaning in " ".join(start_here(COMMAND_LINE, "--help").stdout.split())


def test_arguments_behind_the_name_are_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    done = start_here(COMMAND_LINE, "dead-letters", "list", "--config", "/nowhere")
    assert done == (2, "", "--config: can't read '/nowhere': No such file or directory\n")


def test_it_says_its_version() -> None:
    assert start_here(COMMAND_LINE, "--version") == (0, f"ticket-counts {VERSION}\n", "")


@pytest.mark.parametrize("wrong", [(), ("sreve",), ("--config", "x", "serve")])
def test_anything_else_is_wrong_use(wrong: tuple[str, ...]) -> None:
    done = start_here(COMMAND_LINE, *wrong)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ticket-counts ")


@pytest.mark.parametrize(("command", "imported"), [("serve", False), ("token", False), ("publish", True)])
def test_only_the_named_program_is_imported(command: str, imported: bool) -> None:
    program = (
        "import atexit, sys; from deploy.command_line import main;"
        "atexit.register(lambda: print('aiokafka' in sys.modules, file=sys.stderr)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, command, "--version"], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stderr == f"{imported}\n"
