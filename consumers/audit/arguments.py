"""The command line of `python -m consumers.audit`. Opens nothing."""

import argparse
from collections.abc import Sequence

from consumers.settings import ConsumerSettings
from service.config import environment
from service.domain.tickets.ids import is_tenant_id
from service.version import ABOUT

SETTINGS_USED = (
    "kafka", "events_topic", "catalogue_topic", "dead_letter_topic", "redis", "redis_timeout_s", "buckets",
)  # fmt: skip

_DESCRIPTION = """Recounts what every stored ticket contributes and compares it with the counters, each counter at one
version of its tenant, while events go on. Also says which tickets' stored contributions are not what their tenant's
filters say, and which are not due when they should be. A line on stdout for each thing that is wrong; progress on
stderr.

With --against it compares the stored tickets with an export of the source system instead: NDJSON, a line
{"tenant", "ticket", "sequence", "data"?} a ticket, `data` the whole ticket as in an event. It says what the log never
told, or told otherwise, and which tickets are only here.

Status: 0 nothing is wrong, 1 something was found (repaired or not), 2 wrong use, 3 it could not be proven, or Redis or
Kafka can't be reached."""


def parser() -> argparse.ArgumentParser:
    """Parses what is asked."""
    whole = argparse.ArgumentParser(
        prog="python -m consumers.audit",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_DESCRIPTION,
        epilog=f"Settings (environment variables):\n\n{environment.table(ConsumerSettings, SETTINGS_USED)}",
    )
    whole.add_argument("--version", action="version", version=ABOUT)
    whole.add_argument("--tenant", type=_tenant, metavar="ID", help="only this one")
    whole.add_argument("--repair", action="store_true", help="put right what is proven wrong, and nothing else")
    whole.add_argument("--against", metavar="FILE", help="compare with this export; .gz is unpacked, - for stdin")
    whole.add_argument("--publish", action="store_true", help="with --against: send the events that are missing")
    return whole


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """What is asked; `argv` begins with the program's name. Ends the process for --help and for wrong use."""
    asked = parser().parse_args(argv[1:])
    if asked.publish and asked.against is None:
        parser().error("--publish: what? name an export with --against")
    if asked.repair and asked.against is not None:
        parser().error("--repair: compares counters with tickets, --against compares tickets with the source system")
    return asked


def _tenant(text: str) -> str:
    if not is_tenant_id(text):
        raise ValueError
    return text


_tenant.__name__ = "tenant id"  # how argparse names it in "invalid … value"
