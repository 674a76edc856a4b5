"""`ticket-counts`: runs each program under a short name, as `python -m` does. Imports only the one that is named."""

import argparse
import runpy
import sys

from service.version import ABOUT

PROGRAMS = {
    "serve": ("service", "serve counts over HTTP and server-sent events"),
    "consume": ("consumers", "keep the counters equal to the events and the catalogue"),
    "publish": ("consumers.publish", "publish events and catalogue entries"),
    "catalogue": ("consumers.catalogue", "check, show, explain and import catalogue entries"),
    "dead-letters": ("consumers.dead_letters", "list records that could not be applied, and send them again"),
    "audit": ("consumers.audit", "count again, compare, repair"),
    "rebuild": ("consumers.rebuild", "count tenants anew, beside what serves"),
    "token": ("service.token", "mint a development token"),
}
"""The module and the meaning of each command."""


def main() -> None:
    """Runs the named program, which gets all arguments behind its name. Exits with status 2 for an unknown name."""
    command = _parser().parse_args(sys.argv[1:2]).command
    sys.argv[1:] = sys.argv[2:]
    runpy.run_module(PROGRAMS[command][0], run_name="__main__", alter_sys=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ticket-counts",
        description="Exact, live ticket counts from Kafka.",
        epilog="Each command has a --help of its own, which explains its settings.",
    )
    parser.add_argument("--version", action="version", version=ABOUT)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, meaning) in PROGRAMS.items():
        commands.add_parser(name, help=f"{meaning} (python -m {module})", add_help=False)
    return parser


if __name__ == "__main__":
    main()
