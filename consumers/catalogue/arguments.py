"""The command line of `python -m consumers.catalogue`. Reads no file and opens nothing."""

import argparse
from collections.abc import Sequence

from consumers.command import command_line, take_config, tenant_id
from service import timezones
from service.domain.counting.viewer import Perspective, Role
from service.domain.tickets.ids import is_id

SETTINGS_USED = ("redis", "redis_timeout_s", "buckets")

SYSTEMS = ("zendesk", "chatwoot")
"""The systems whose filters `import` can read."""

_CHECK = """Reports the lines of these files that the consumers would refuse, and publishes nothing. Prints the first
problem of each line as `FILE:LINE: path: problem`. Status 0 when there are no problems, 1 when there are some, 2 when
a file can't be read."""

_SHOW = """Prints a tenant's catalogue as Redis holds it: versions, statuses, priorities, teams, and every filter and
profile with its audience, its condition, its columns and their backfill."""

_UNKNOWN = """Prints the statuses, priorities and teams of recent tickets that the catalogue lacks, each with the last
ticket that had it, newest first: at most 100 for each tenant, for 30 days after that ticket. Leaves out ids that were
published since."""

_EXPLAIN = """Prints a filter's condition, its columns, and the signed sum over scopes that each role and perspective
reads. With --user (and a --team for each of the user's teams), also prints the current count of each term. With
--ticket, also prints whether and why that ticket counts."""

_IMPORT = """Translates the saved filters of another help desk into filter entries, and prints one per line. Reads
the answer of Zendesk's `GET /api/v2/views`, or of Chatwoot's `GET /api/v1/accounts/…/custom_filters`. Leaves out a
filter without an equivalent here, reports it on stderr, and ends with status 1. docs/filters.md has the translation."""

_MAP = """JSON file that maps the other system's names to ours: {"statuses", "priorities", "teams", "users",
"fields"}, each optional. A map that is present must have every id. Ids without a map stay unchanged."""


def parser() -> argparse.ArgumentParser:
    """Returns the parser of `command` and of each command's own arguments."""
    whole = command_line(
        "catalogue",
        "Checks, shows, explains and imports catalogue entries. Publishes nothing: consumers.publish does.",
        SETTINGS_USED,
        " of show, unknown and explain",
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="check|show|unknown|explain|import")
    check = commands.add_parser("check", help="report lines that the consumers would refuse", description=_CHECK)
    check.add_argument(
        "files", nargs="+", metavar="FILE", help="NDJSON for consumers.publish; .gz is unpacked; - is stdin"
    )
    show = commands.add_parser("show", help="print a tenant's catalogue in force", description=_SHOW)
    show.add_argument("--tenant", type=tenant_id, required=True)
    unknown = commands.add_parser("unknown", help="print ids that the catalogue doesn't know", description=_UNKNOWN)
    unknown.add_argument("--tenant", type=tenant_id, metavar="ID", help="only this tenant's ids")
    _add_explain(commands.add_parser("explain", help="print how a filter is counted", description=_EXPLAIN))
    _add_import(commands.add_parser("import", help="translate another system's filters", description=_IMPORT))
    for command in commands.choices.values():
        take_config(command)
    return whole


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parses `argv`, which begins with the program's name. Exits the process for --help and for wrong use."""
    options = parser().parse_args(argv[1:])
    if options.command == "explain" and options.teams and options.user is None:
        parser().error("--team needs --user: the teams are those of the user")
    return options


def _add_explain(explain: argparse.ArgumentParser) -> None:
    explain.add_argument("--tenant", type=tenant_id, required=True)
    explain.add_argument("--filter", type=_id, required=True, metavar="ID", help="id of a filter, status or priority")
    explain.add_argument("--profile", type=_id, metavar="ID", help="the base filter that narrows it")
    explain.add_argument("--role", type=Role, choices=list(Role), help="only this role")
    explain.add_argument("--perspective", type=Perspective, choices=list(Perspective), help="only this perspective")
    explain.add_argument("--user", type=_id, metavar="ID", help="the viewer (@me)")
    explain.add_argument(
        "--team",
        type=_id,
        action="append",
        default=[],
        dest="teams",
        metavar="ID",
        help="a team of the viewer (@my_teams)",
    )
    explain.add_argument(
        "--timezone",
        type=_zone,
        default=timezones.DEFAULT,
        metavar="NAME",
        help="the viewer's time zone (default: %(default)s)",
    )
    explain.add_argument("--ticket", type=_id, metavar="ID", help="explain whether this ticket counts")


def _add_import(importing: argparse.ArgumentParser) -> None:
    importing.add_argument("file", metavar="FILE", help="the other system's JSON; .gz is unpacked; - is stdin")
    importing.add_argument("--from", choices=SYSTEMS, required=True, dest="system")
    importing.add_argument("--tenant", type=tenant_id, required=True, help="the tenant of the filters")
    importing.add_argument("--owner", type=_id, metavar="USER", help="the owner of filters that aren't for everybody")
    importing.add_argument("--map", metavar="FILE", help=_MAP)
    importing.add_argument("--skip", action="store_true", help="status 0 although some filters are left out")


def _id(text: str) -> str:
    if not is_id(text):
        raise ValueError
    return text


def _zone(text: str) -> str:
    if text not in timezones.names():
        raise ValueError
    return text


# How argparse names them in "invalid … value".
_id.__name__ = "id"
_zone.__name__ = "IANA time zone"
