"""The command line of `python -m consumers.catalogue`. Reads no file and opens nothing."""

import argparse
from collections.abc import Sequence

from consumers.settings import ConsumerSettings
from service import timezones
from service.config import environment
from service.domain.counting.viewer import Perspective, Role
from service.domain.tickets.ids import is_id, is_tenant_id
from service.version import ABOUT

PROGRAM = "python -m consumers.catalogue"

SETTINGS_USED = ("redis", "redis_timeout_s", "buckets")

SYSTEMS = ("zendesk", "chatwoot")
"""Whose filters `import` reads."""

_CHECK = """Says what the consumers would refuse of these files, without publishing anything: each line as
`FILE:LINE: path: problem`, the first problem of each. Status 0 when there is none, 1 when there are some, 2 when a
file can't be read."""

_SHOW = """Prints what Redis has of a tenant's catalogue: versions, statuses, priorities, teams, every filter and
profile with who may ask for it, its condition and its columns, and how far those are that are being filled."""

_UNKNOWN = """Prints the statuses, priorities and teams that tickets had lately and the catalogue lacks, each with
the ticket it was last met in, newest first: at most 100 a tenant, for 30 days after the last. What was published since
is left out."""

_EXPLAIN = """Prints a filter's condition, its columns, and the signed sum over scopes that each role and perspective
reads. With --user (and a --team for each of their teams) also what each term of the sum counts now. With --ticket
whether and why that ticket counts."""

_IMPORT = """Prints filter entries, a line each, for the saved filters of another help desk: the answer of Zendesk's
`GET /api/v2/views`, or of Chatwoot's `GET /api/v1/accounts/…/custom_filters`. What has no equal in our language is
said on stderr and its filter left out; the status is then 1. docs/filters.md has the translation."""

_MAP = """JSON: what the other system's names are here, {"statuses", "priorities", "teams", "users", "fields"}, each
optional. Ids of a sort that isn't listed stay as they are; of one that is, each must be in it."""


def parser() -> argparse.ArgumentParser:
    """Parses into `command` and that command's own arguments."""
    whole = argparse.ArgumentParser(
        prog=PROGRAM,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Checks, shows, explains and imports catalogue entries. Publishes nothing: consumers.publish does.",
        epilog="Settings of show, unknown and explain (environment variables):\n\n"
        + environment.table(ConsumerSettings, SETTINGS_USED),
    )
    whole.add_argument("--version", action="version", version=ABOUT)
    commands = whole.add_subparsers(dest="command", required=True, metavar="check|show|unknown|explain|import")
    check = commands.add_parser("check", help="say what the consumers would refuse", description=_CHECK)
    check.add_argument(
        "files", nargs="+", metavar="FILE", help="NDJSON as consumers.publish takes it; .gz; - for stdin"
    )
    show = commands.add_parser("show", help="print what is in force of a tenant", description=_SHOW)
    show.add_argument("--tenant", type=_tenant, required=True)
    unknown = commands.add_parser("unknown", help="print ids that the catalogue doesn't know", description=_UNKNOWN)
    unknown.add_argument("--tenant", type=_tenant, metavar="ID", help="only this one's")
    _add_explain(commands.add_parser("explain", help="print how a filter is counted", description=_EXPLAIN))
    _add_import(commands.add_parser("import", help="translate another system's filters", description=_IMPORT))
    return whole


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """What is asked; `argv` begins with the program's name. Ends the process for --help and for wrong use."""
    asked = parser().parse_args(argv[1:])
    if asked.command == "explain" and asked.teams and asked.user is None:
        parser().error("--team: whose? name them with --user")
    return asked


def _add_explain(explain: argparse.ArgumentParser) -> None:
    explain.add_argument("--tenant", type=_tenant, required=True)
    explain.add_argument("--filter", type=_id, required=True, metavar="ID", help="a filter's, status' or priority's id")
    explain.add_argument("--profile", type=_id, metavar="ID", help="the base filter that narrows it")
    explain.add_argument("--role", type=Role, choices=list(Role), help="only this role")
    explain.add_argument("--perspective", type=Perspective, choices=list(Perspective), help="only this perspective")
    explain.add_argument("--user", type=_id, metavar="ID", help="the viewer: who @me is")
    explain.add_argument(
        "--team", type=_id, action="append", default=[], dest="teams", metavar="ID", help="one of @my_teams"
    )
    explain.add_argument(
        "--timezone", type=_zone, default=timezones.DEFAULT, metavar="NAME", help="the viewer's (default: %(default)s)"
    )
    explain.add_argument("--ticket", type=_id, metavar="ID", help="the ticket to judge")


def _add_import(importing: argparse.ArgumentParser) -> None:
    importing.add_argument("file", metavar="FILE", help="the other system's JSON; .gz; - for stdin")
    importing.add_argument("--from", choices=SYSTEMS, required=True, dest="system")
    importing.add_argument("--tenant", type=_tenant, required=True, help="whose the filters will be")
    importing.add_argument("--owner", type=_id, metavar="USER", help="who owns filters that aren't everybody's")
    importing.add_argument("--map", metavar="FILE", help=_MAP)
    importing.add_argument("--skip", action="store_true", help="status 0 though some filters are left out")


def _tenant(text: str) -> str:
    if not is_tenant_id(text):
        raise ValueError
    return text


def _id(text: str) -> str:
    if not is_id(text):
        raise ValueError
    return text


def _zone(text: str) -> str:
    if text not in timezones.names():
        raise ValueError
    return text


# How argparse names them in "invalid … value".
_tenant.__name__ = "tenant id"
_id.__name__ = "id"
_zone.__name__ = "IANA time zone"
