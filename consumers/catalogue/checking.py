"""Lines of NDJSON judged as the consumers will judge them. Publishes nothing, and asks neither Kafka nor Redis.

An event line is judged too, but for what only its tenant and its ticket's history decide: a file to publish often
holds both sorts.
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
    """What was read, and how many of it would be refused."""

    entries: int = 0
    removals: int = 0
    events: int = 0
    problems: int = 0

    def __str__(self) -> str:
        read = f"{self.entries:,} entries, {self.removals:,} removals and {self.events:,} events"
        return f"{read} would be taken, {self.problems:,} lines would not"


async def check(lines: AsyncIterable[Line], report: Report) -> Checked:
    """Judges every line that isn't blank; reports the first problem of each bad one, and warnings of good ones."""
    checked = Checked()
    async for line in lines:
        text = line.text.strip()
        if text:
            try:
                for warning in _take(text, checked):
                    report(f"{line.place}: warning: {warning}")
            except (BadLine, EntryError, PoisonEvent) as error:
                checked.problems += 1
                report(f"{line.place}: {_pointed(str(error))}")
    return checked


def _take(text: bytes, checked: Checked) -> tuple[str, ...]:
    """Counts the line; returns what is odd about it though it would be taken."""
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


def _pointed(problem: str) -> str:
    """What is wrong with a line as a whole says so in the place of a path."""
    return problem if _WITH_PATH.match(problem) else f"line: {problem}"
