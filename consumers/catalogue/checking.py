"""Checks lines of NDJSON by the consumers' rules. Publishes nothing, and reads neither Kafka nor Redis.

Checks event lines too, because a file often has both kinds. Leaves out checks that need the tenant or the history of
the ticket.
"""

import re
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass

from consumers.decoding.event_record import decode
from consumers.publishing.line_source import Line
from consumers.publishing.ndjson import EVENT_HEADERS, BadLine, record
from service.domain.catalogue.catalogue import EntryError, Realm
from service.domain.catalogue.entries import Removal, parse_record
from service.domain.tickets.event import PoisonEvent

Report = Callable[[str], None]
"""Takes one problem, as `FILE:LINE: path: problem`."""

_WITH_PATH = re.compile(r"[^\s:]+: ")


@dataclass(slots=True)
class Checked:
    """The numbers of accepted and refused lines."""

    entries: int = 0
    removals: int = 0
    events: int = 0
    problems: int = 0

    def __str__(self) -> str:
        read = f"{self.entries:,} entries, {self.removals:,} removals and {self.events:,} events"
        return f"{read} would be accepted, {self.problems:,} lines refused"


async def check(lines: AsyncIterable[Line], report: Report) -> Checked:
    """Checks every line that isn't blank. Reports the first problem of each refused line, and all warnings."""
    checked = Checked()
    async for line in lines:
        text = line.text.strip()
        if text:
            try:
                for warning in _take(text, checked):
                    report(f"{line.place}: warning: {warning}")
            except (BadLine, EntryError, PoisonEvent) as error:
                checked.problems += 1
                report(f"{line.place}: {_with_path(str(error))}")
    return checked


def _take(text: bytes, checked: Checked) -> tuple[str, ...]:
    """Counts an accepted line and returns its warnings. Raises BadLine, EntryError or PoisonEvent."""
    published = record(text)
    if published.is_event:
        decode(published.key, published.value, EVENT_HEADERS, timestamp_ms=0)
        checked.events += 1
        return ()
    parsed = parse_record(published.key, published.value)
    if isinstance(parsed, Removal):
        checked.removals += 1
        return ()
    checked.entries += 1
    return parsed.value.warnings() if isinstance(parsed.value, Realm) else ()


def _with_path(problem: str) -> str:
    """Returns the problem with a path: `line` for a problem of the whole line."""
    return problem if _WITH_PATH.match(problem) else f"line: {problem}"
