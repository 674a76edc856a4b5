"""`python -m consumers.publish`: sends NDJSON to the events and catalogue topics. Never changes or reorders lines."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace

from consumers.command import EXIT_INTERRUPTED, UNREACHABLE, begin, command_line, unreachable
from consumers.dead_letters.topic import LettersUnreadable, named_ends, refused_of
from consumers.errors import TopicsUnusable
from consumers.kafka.topics import ensure_topics
from consumers.progress import SAY_S, Say, say_on_stderr
from consumers.publishing.acknowledgements import Acknowledged
from consumers.publishing.applied_positions import NotApplied, until_applied
from consumers.publishing.line_source import STDIN, Line, SourceUnusable, lines_of
from consumers.publishing.ndjson import BadLine, record
from consumers.publishing.outbox import NotAcknowledged, Outbox, open_outbox
from consumers.settings import ConsumerSettings
from service.store.ports.errors import StoreRefused
from service.store.redis.store import RedisStore, open_store

SETTINGS_USED = (
    *("kafka", "events_topic", "catalogue_topic", "dead_letter_topic", "partitions", "replication_factor"),
    *("redis", "buckets", "redis_timeout_s"),  # for --until-applied
)

REASONS_SHOWN = 10
"""Most reasons for dead letters that are printed, the most frequent first."""

EXIT_STOPPED = 1


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers of a run. Each counted record is acknowledged by all in-sync replicas; `entries` includes removals."""

    events: int
    entries: int
    skipped: int
    seconds: float
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    """The number of published records that became dead letters, by reason. Known only with `wait_applied`."""

    def __str__(self) -> str:
        rate = (self.events + self.entries) / max(self.seconds, 0.001)
        skipped = f", {self.skipped:,} bad lines skipped" if self.skipped else ""
        return (
            f"{self.events:,} events and {self.entries:,} catalogue records{skipped} "
            f"in {self.seconds:.1f} s ({rate:,.0f} a second)"
        )


class PublishStopped(Exception):
    """Publishing stopped early: all earlier lines are acknowledged, unless the message says otherwise."""


async def publish(
    lines: Iterable[bytes] | AsyncIterable[bytes],
    settings: ConsumerSettings,
    rate: float | None = None,
    *,
    skip_bad: bool = False,
    wait_applied: bool = False,
    say: Say = say_on_stderr,
) -> Totals:
    """Publishes every line, at most `rate` a second, and returns once all are acknowledged. Creates absent topics.

    With `wait_applied` it returns when the consumers have applied all lines, and counts the dead letters among them.
    Ignores blank lines. Raises PublishStopped at the first bad line (unless `skip_bad`) or when Kafka fails.
    """
    async with aclosing(_numbered(lines)) as numbered:
        return await _Job(settings, rate, skip_bad, wait_applied, say).run(numbered)


class _Job:
    """One run: its options and its progress."""

    def __init__(
        self, settings: ConsumerSettings, rate: float | None, skip_bad: bool, wait_applied: bool, say: Say
    ) -> None:
        self._settings = settings
        self._rate = rate
        self._skip_bad = skip_bad
        self._wait_applied = wait_applied
        self._say = say
        self._outbox: Outbox | None = None
        self._skipped = 0
        self._taken = 0
        self._began = time.monotonic()
        self._next_progress = self._began + SAY_S

    def totals(self) -> Totals:
        """Returns the numbers of the records that are acknowledged now."""
        events, entries = (self._outbox.events, self._outbox.entries) if self._outbox else (0, 0)
        return Totals(events, entries, self._skipped, time.monotonic() - self._began)

    async def run(self, lines: AsyncIterator[Line]) -> Totals:
        try:
            async with AsyncExitStack() as store_open:
                store = await self._store(store_open)  # before sending, so that a wrong address fails at once
                await ensure_topics(self._settings)
                letters_end = {} if store is None else await named_ends(self._settings)
                async with open_outbox(self._settings, self._say) as outbox:
                    self._outbox = outbox
                    await self._send_all(lines, outbox)
                totals = self.totals()
                if store is not None:
                    self._say(f"acknowledged {totals}")
                    await self._until_applied(store, outbox.acknowledged)
                    reasons = await refused_of(self._settings, letters_end, outbox.acknowledged)
                    totals = replace(totals, dead_letters=reasons)
        except (TopicsUnusable, NotAcknowledged, NotApplied, StoreRefused, LettersUnreadable) as error:
            raise PublishStopped(str(error)) from error
        except UNREACHABLE as error:
            raise PublishStopped(unreachable(error, self._settings)) from error
        return totals

    async def _until_applied(self, store: RedisStore, acknowledged: Acknowledged) -> None:
        settings = self._settings
        ends = acknowledged.ends(settings.events_topic)
        catalogue_end = acknowledged.ends(settings.catalogue_topic).get(0, 0)
        await until_applied(store, range(settings.buckets), ends, self._say, catalogue_end=catalogue_end)

    async def _store(self, open_now: AsyncExitStack) -> RedisStore | None:
        """Opens the store for `wait_applied`; None without it."""
        if not self._wait_applied:
            return None
        settings = self._settings
        opened = open_store(settings.redis_url, settings.buckets, settings.redis_timeout_s)
        store = await open_now.enter_async_context(opened)
        await store.ensure_layout()
        return store

    async def _send_all(self, lines: AsyncIterator[Line], outbox: Outbox) -> None:
        self._began = time.monotonic()
        try:
            async for line in lines:
                await self._send(line, outbox)
        except (BadLine, SourceUnusable) as error:
            await outbox.flush()
            raise PublishStopped(str(error)) from error
        await outbox.flush()

    async def _send(self, line: Line, outbox: Outbox) -> None:
        text = line.text.strip()
        if not text:
            return
        try:
            taken = record(text)
        except BadLine as error:
            if not self._skip_bad:
                raise BadLine(f"{line.place}: {error}") from None
            self._skipped += 1
            self._say(f"{line.place}: {error}; skipped")
            return
        await self._pace()
        await outbox.send(taken)
        self._taken += 1
        if time.monotonic() >= self._next_progress:
            self._say(str(self.totals()))
            self._next_progress = time.monotonic() + SAY_S

    async def _pace(self) -> None:
        """Waits until the next record is due by `rate`. After a delay it catches up."""
        if self._rate is None:
            return
        wait_s = self._began + self._taken / self._rate - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)


async def _numbered(lines: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncGenerator[Line, None]:
    number = 0
    if isinstance(lines, AsyncIterable):
        async for text in lines:
            number += 1
            yield Line(f"line {number}", text)
    else:
        for text in lines:
            number += 1
            yield Line(f"line {number}", text)


async def _run_files(job: _Job, names: Sequence[str]) -> Totals:
    task = asyncio.current_task()
    # asyncio's own SIGINT handler doesn't wake a loop that is just about to wait: Ctrl-C would do nothing for minutes.
    if task is not None and signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
    async with aclosing(lines_of(names)) as lines:
        return await job.run(lines)


def main(argv: Sequence[str]) -> int:
    """Runs the command line and returns its exit status.

    0 for success, 1 after an early stop or with dead letters, 2 for wrong use, 130 after Ctrl-C.
    """
    options = _parser().parse_args(argv[1:])
    settings = begin("publish", options.config)
    job = _Job(settings, options.rate, options.skip_bad, options.until_applied, say_on_stderr)
    try:
        totals = asyncio.run(_run_files(job, options.files or [STDIN]))
    except PublishStopped as error:
        say_on_stderr(f"{error}\nstopped; published before that: {job.totals()}")
        return EXIT_STOPPED
    except (KeyboardInterrupt, asyncio.CancelledError):
        say_on_stderr(f"interrupted; published before that: {job.totals()}")
        return EXIT_INTERRUPTED
    if totals.dead_letters:
        say_on_stderr(f"published {totals}")
        _say_dead_letters(totals.dead_letters)
        return EXIT_STOPPED
    say_on_stderr(f"published {totals}" + (", and all of it is applied" if options.until_applied else ""))
    return 0


def _say_dead_letters(reasons: Mapping[str, int]) -> None:
    by_count = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    for reason, count in by_count[:REASONS_SHOWN]:
        say_on_stderr(f"  {count:,} × {reason}")
    if by_count[REASONS_SHOWN:]:
        say_on_stderr(f"  and {sum(count for _, count in by_count[REASONS_SHOWN:]):,} for other reasons")
    say_on_stderr(
        f"{sum(reasons.values()):,} of them could not be applied and are dead letters: see "
        "python -m consumers.dead_letters list"
    )


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 < rate < float("inf"):
        raise ValueError
    return rate


_rate.__name__ = "number of records a second"  # how argparse names it in "invalid … value"


def _parser() -> argparse.ArgumentParser:
    parser = command_line(
        "publish",
        """Publishes NDJSON, one JSON object a line:

  {"specversion": "1.0", "tenantid": …, "subject": …, …}   a CloudEvent, to the events topic
  {"kind": …, "value": {…}}                                a catalogue entry, to the catalogue topic
  {"kind": …, "tenant": …, "id": …, "value": null}         the removal of one

Lines are sent in order and unchanged. Where an event follows a catalogue line, or a catalogue line an event, the first
one is acknowledged before the second is sent. The first bad line stops the command: the lines before it are published,
the lines after it aren't. A well-formed event that the consumers refuse isn't found here; it becomes a dead letter.
Absent topics are created.""",
        SETTINGS_USED,
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="NDJSON, or NDJSON as .gz; - or no file: stdin")
    parser.add_argument(
        "--rate", type=_rate, metavar="N", help="records a second at most (default: as fast as possible)"
    )
    parser.add_argument("--skip-bad", action="store_true", help="report and skip bad lines instead of stopping")
    parser.add_argument(
        "--until-applied",
        action="store_true",
        help="wait until Redis says that the consumers have applied all lines; status 1 if some became dead letters, "
        "or if nothing is applied for two minutes",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
