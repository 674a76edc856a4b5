"""Runs a program as `python -m` does, but in this process: starting Python and importing it all costs half a second.

Only for calls that end before the program sets up logs, signals or an event loop: help, versions, wrong settings.
"""

import io
import runpy
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest


class Ended(NamedTuple):
    """How it ended, with the names of `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


def start_here(program: str, *arguments: str, **settings: str) -> Ended:
    """Runs `python -m program arguments` to its end, with settings beside those of the environment."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
        # That another test has imported the module before, which is then run anew.
        warnings.filterwarnings("ignore", ".*found in sys.modules.*", RuntimeWarning)
        patch.setattr(sys, "argv", [program, *arguments])
        for name, value in settings.items():
            patch.setenv(f"TICKET_COUNTS_{name}", value)
        try:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            return Ended(_status(end.code), out.getvalue(), err.getvalue())
    raise AssertionError(f"{program} has not ended by SystemExit")


def _status(code: str | int | None) -> int:
    assert not isinstance(code, str), code
    return code or 0
