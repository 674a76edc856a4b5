"""`python -m consumers.dead_letters list|replay`: wires reading, choosing, printing and sending. Deletes no letter."""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing

from consumers.command import EXIT_INTERRUPTED, UNREACHABLE, begin, unreachable
from consumers.dead_letters import arguments
from consumers.dead_letters.letter import Origin, ReadLetter, letter_in, whose_letter
from consumers.dead_letters.topic import LettersUnreadable, parked_records
from consumers.progress import SAY_S, Say, say_on_stderr
from consumers.publishing.ndjson import Record
from consumers.publishing.outbox import NotAcknowledged, Outbox, open_outbox
from consumers.settings import ConsumerSettings
from service.domain.tickets.instant import format_instant_exactly
from service.one_line import one_line

EXIT_STOPPED = 1


class Run:
    """One run of a command: what came of it so far."""

    def __init__(self, settings: ConsumerSettings, asked: argparse.Namespace, write: Say, say: Say) -> None:
        self._settings = settings
        self._selection = arguments.selection(asked)
        self._sends = asked.command == "replay" and not asked.dry_run
        self._replays = asked.command == "replay"
        self._as_json = asked.json
        self._write, self._say = write, say
        self._outbox: Outbox | None = None
        self._handled: set[Origin] = set()
        self._count: Counter[str] = Counter()
        self._next_progress = time.monotonic() + SAY_S

    def totals(self) -> str:
        """What was done until now; of records sent those that are acknowledged."""
        count = self._count
        parts = [
            f"{count['read']:,} letters read",
            f"{count['chosen']:,} {'listed' if not self._replays else 'chosen'}",
        ]
        if self._replays:
            sent = self._outbox.events + self._outbox.entries if self._outbox else 0
            parts.append(f"{sent:,} records sent" if self._sends else f"{count['sendable']:,} records would be sent")
        parts += [f"{count[name]:,} {text}" for name, text in _LEFT_OUT.items() if count[name]]
        return ", ".join(parts)

    @property
    def left_out(self) -> int:
        """Letters that were meant and can't be sent."""
        return self._count["homeless"] + self._count["empty"] + self._count["broken"] if self._replays else 0

    async def run(self) -> None:
        """Raises LettersUnreadable, NotAcknowledged, KafkaError."""
        async with AsyncExitStack() as open_now:
            if self._sends:
                self._outbox = await open_now.enter_async_context(open_outbox(self._settings, self._say))
            async with aclosing(parked_records(self._settings)) as records:
                async for record in records:
                    self._count["read"] += 1
                    letter = letter_in(record)
                    if letter is None:
                        self._count["foreign"] += 1
                    elif self._selection.takes(letter, self._settings.catalogue_topic):
                        await self._take(letter)
                    self._progress()
            if self._outbox is not None:
                await self._outbox.flush()

    async def _take(self, letter: ReadLetter) -> None:
        if self._replays and letter.origin in self._handled:
            self._count["again"] += 1  # parked once more after a crash: it is one record
            return
        self._handled.add(letter.origin)
        self._count["chosen"] += 1
        problem = self._problem(letter) if self._replays else ""
        self._write(self._line(letter, problem))
        if problem:
            return
        self._count["sendable"] += 1
        if self._outbox is not None:
            is_event = letter.origin.topic == self._settings.events_topic
            at_ms = letter.timestamp_ms if letter.timestamp_ms >= 0 else None  # Kafka's -1: the record had none
            await self._outbox.send(Record(is_event, letter.key, letter.value, letter.headers, at_ms))

    def _problem(self, letter: ReadLetter) -> str:
        """Why its record can't be sent; "" when it can."""
        if letter.origin.topic not in (self._settings.events_topic, self._settings.catalogue_topic):
            self._count["homeless"] += 1
            return "not sent: its topic is neither the events nor the catalogue topic"
        if letter.key is None and letter.value is None:
            self._count["empty"] += 1
            return "not sent: it has neither key nor value"
        if not letter.is_whole or any(not _is_utf8(name) for name, _ in letter.headers):
            self._count["broken"] += 1
            return "not sent: it is a part of a record, a batch, or has a header's name that is not UTF-8"
        return ""

    def _line(self, letter: ReadLetter, problem: str) -> str:
        origin = letter.origin
        at = _instant(letter.timestamp_ms)
        key = None if letter.key is None else letter.key.decode(errors="backslashreplace")
        tenant, ticket = whose_letter(letter, self._settings.catalogue_topic)
        if not self._as_json:
            whose = "" if key == f"{tenant}/{ticket}" else _named(tenant, ticket)
            shown = "-" if key is None else repr(key)
            line = f"{at} {origin.topic} {origin.partition}:{origin.offset} {shown}{whose} {letter.reason}"
            return f"{line} ({problem})" if problem else line
        said = {"time": at, **origin._asdict(), "key": key, "tenant": tenant or None, "ticket": ticket or None}
        said["reason"] = letter.reason
        return one_line(json.dumps({**said, "problem": problem} if problem else said, ensure_ascii=False))

    def _progress(self) -> None:
        if time.monotonic() >= self._next_progress:
            self._say(self.totals())
            self._next_progress = time.monotonic() + SAY_S


def _named(tenant: str, ticket: str) -> str:
    """What a key doesn't say."""
    return (f" tenant={tenant}" if tenant else "") + (f" ticket={ticket!r}" if ticket else "")


def _instant(timestamp_ms: int) -> str:
    """A record's timestamp as text. Kafka accepts any number: one outside the calendar is shown as the number."""
    try:
        return format_instant_exactly(timestamp_ms * 1_000)
    except (ValueError, OverflowError):
        return f"{timestamp_ms}ms"


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


_LEFT_OUT = {
    "again": "parked more than once",
    "homeless": "of other topics",
    "empty": "with neither key nor value",
    "broken": "that would be parked again",
    "foreign": "records that are no letters of ours",
}
"""What is said beside the totals where there is any."""


def main(argv: Sequence[str]) -> int:
    """The command line. Returns the exit status: 0, 1 when it stopped early or left letters out, 2 wrong use, 130."""
    asked = arguments.parse(argv)
    settings = begin("dead_letters", asked.config)
    run = Run(settings, asked, lambda line: print(line, flush=True), say_on_stderr)
    try:
        asyncio.run(run.run())
    except (LettersUnreadable, NotAcknowledged) as error:
        return _stopped(str(error), run)
    except UNREACHABLE as error:
        return _stopped(unreachable(error, settings), run)
    except KeyboardInterrupt:
        say_on_stderr(f"interrupted: {run.totals()}")
        return EXIT_INTERRUPTED
    say_on_stderr(run.totals())
    return EXIT_STOPPED if run.left_out else 0


def _stopped(problem: str, run: Run) -> int:
    say_on_stderr(f"{problem}\nstopped: {run.totals()}")
    return EXIT_STOPPED


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
