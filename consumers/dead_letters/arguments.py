"""The command line of `python -m consumers.dead_letters`. Opens nothing."""

import argparse
import re
from collections.abc import Sequence

import msgspec

from consumers.command import command_line, take_config, tenant_id
from consumers.dead_letters.letter import ReadLetter, whose_letter
from service.domain.tickets.instant import parse_instant
from service.domain.tickets.ticket import Instant


class Offsets(msgspec.Struct, frozen=True):
    """A range of offsets, both ends included; `last` None: to the end."""

    first: int
    last: int | None

    def __contains__(self, offset: int) -> bool:
        return self.first <= offset and (self.last is None or offset <= self.last)


class Selection(msgspec.Struct, frozen=True):
    """Conditions on letters; what is None is not asked. Partition and offsets are those where the record was read."""

    tenant: str | None = None
    reason: str | None = None
    """A part of the reason, in whatever letter case."""
    topic: str | None = None
    partition: int | None = None
    offsets: Offsets | None = None
    since: Instant | None = None
    until: Instant | None = None
    """`since` and `until` are compared with the letter's Kafka timestamp. `until` itself is not included."""

    def takes(self, letter: ReadLetter, catalogue_topic: str) -> bool:
        """Whether this letter is meant."""
        origin, at = letter.origin, letter.timestamp_ms * 1_000
        return (
            (self.topic is None or origin.topic == self.topic)
            and (self.partition is None or origin.partition == self.partition)
            and (self.offsets is None or origin.offset in self.offsets)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
            and (self.reason is None or self.reason.casefold() in letter.reason.casefold())
            and (self.tenant is None or self.tenant == whose_letter(letter, catalogue_topic).tenant)
        )


SETTINGS_USED = ("kafka", "events_topic", "catalogue_topic", "dead_letter_topic")

_OFFSETS = re.compile(r"(?P<first>[0-9]+)(?P<more>-(?P<last>[0-9]*))?")

_LIST = """Prints every letter that is meant, a line each: time, where its record was read, key, reason. Progress and
totals are on stderr. Sends nothing."""

_REPLAY = """Sends the records of the letters that are meant to the topic they came from: the same bytes, key, headers
and time, without what was added when they were parked. One that is still bad becomes a letter again; one whose sequence
is no longer news changes nothing. The letters stay where they are. See with --dry-run what would be sent. Without a
condition it asks for --all."""


def parser() -> argparse.ArgumentParser:
    """Parses into `command` and the conditions."""
    whole = command_line(
        "dead_letters",
        "Shows the records that could not be applied, and sends them again once their cause is mended.",
        SETTINGS_USED,
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="list|replay")
    listing = commands.add_parser("list", help="print the letters", description=_LIST)
    replay = commands.add_parser("replay", help="send their records again", description=_REPLAY)
    for command in (listing, replay):
        _add_conditions(command)
        take_config(command)
        command.add_argument("--json", action="store_true", help="print NDJSON: an object a line")
    replay.add_argument("--all", action="store_true", help="every letter: needed where no condition is given")
    replay.add_argument("--dry-run", action="store_true", help="print what would be sent, and send nothing")
    return whole


def selection(asked: argparse.Namespace) -> Selection:
    """Which letters are meant."""
    return Selection(asked.tenant, asked.reason, asked.topic, asked.partition, asked.offsets, asked.since, asked.until)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """What is asked; `argv` begins with the program's name. Ends the process for --help and for wrong use."""
    asked = parser().parse_args(argv[1:])
    if asked.command == "replay":
        chosen = selection(asked) != Selection()
        if asked.all and chosen:
            parser().error("--all: beside conditions that choose some")
        if not (asked.all or chosen or asked.dry_run):
            parser().error("replay: which letters? Give a condition, or --all for every one")
    return asked


def _add_conditions(command: argparse.ArgumentParser) -> None:
    chosen = command.add_argument_group("which letters", "all conditions given must hold; none: every letter")
    chosen.add_argument(
        "--tenant", type=tenant_id, metavar="ID", help="of this tenant, as far as the record says whose"
    )
    chosen.add_argument("--reason", metavar="TEXT", help="with this in their reason, in any letter case")
    chosen.add_argument("--topic", metavar="NAME", help="read from this topic")
    chosen.add_argument("--partition", type=_partition, metavar="P", help="read from this partition of it")
    chosen.add_argument("--offsets", type=_offsets, metavar="A-B", help="read there from offset A to B; A- to the end")
    chosen.add_argument("--since", type=_instant, metavar="TIME", help="from this time of the record on (RFC 3339)")
    chosen.add_argument("--until", type=_instant, metavar="TIME", help="before this time")


def _partition(text: str) -> int:
    partition = int(text)
    if partition < 0:
        raise ValueError
    return partition


def _offsets(text: str) -> Offsets:
    found = _OFFSETS.fullmatch(text)
    if found is None:
        raise ValueError
    first = int(found["first"])
    if found["more"] is None:
        return Offsets(first, first)
    last = int(found["last"]) if found["last"] else None
    if last is not None and last < first:
        raise ValueError
    return Offsets(first, last)


def _instant(text: str) -> Instant:
    return parse_instant(text)


# How argparse names them in "invalid … value".
_partition.__name__ = "partition"
_offsets.__name__ = "range of offsets"
_instant.__name__ = "RFC 3339 time"
