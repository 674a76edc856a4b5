"""The command line of `python -m consumers.audit`. Opens nothing."""

import argparse
from collections.abc import Sequence

from consumers.command import command_line, tenant_id

SETTINGS_USED = (
    "kafka", "events_topic", "catalogue_topic", "dead_letter_topic", "redis", "redis_timeout_s", "buckets",
)  # fmt: skip

_DESCRIPTION = """Recounts every stored ticket and compares the recount with the counters, each counter at one version
of its tenant, while events go on. Also reports tickets whose stored contributions don't follow from
their tenant's filters, and tickets with a wrong due time. Prints a line on stdout for each fault, and progress on
stderr.

With --against it compares the stored tickets with an export of the source system instead. The export is NDJSON, one
line {"tenant", "ticket", "sequence", "data"?} for each ticket, with the whole ticket as in an event under `data`. It
reports tickets that are missing, outdated or different here, and tickets that are only here.

Status: 0 no fault, 1 faults found (repaired or not), 2 wrong use, 3 nothing could be proven, or Redis or Kafka can't
be reached."""


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    whole = command_line("audit", _DESCRIPTION, SETTINGS_USED)
    whole.add_argument("--tenant", type=tenant_id, metavar="ID", help="audit or compare only this tenant")
    whole.add_argument("--repair", action="store_true", help="repair proven faults, and nothing else")
    whole.add_argument("--against", metavar="FILE", help="compare with this export; .gz is unpacked, - is stdin")
    whole.add_argument("--publish", action="store_true", help="with --against: publish the missing events")
    return whole


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parses `argv`, which begins with the program's name. Exits the process for --help and for wrong use."""
    options = parser().parse_args(argv[1:])
    if options.publish and options.against is None:
        parser().error("--publish needs an export: name one with --against")
    if options.repair and options.against is not None:
        parser().error("--repair can't be combined with --against: it repairs counters, not tickets")
    return options
