"""`python -m consumers.audit`: connects audits to Redis, and comparisons to files and Kafka. Decides nothing itself."""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, aclosing

from consumers.audit.against import Against
from consumers.audit.cycle import audited, stored_counters
from consumers.audit.export import BadExport
from consumers.audit.tenant_audit import Mender, TenantAudit, TenantReport, Unproven
from consumers.catalogue.reading import NothingFound, opened, stored_tenant
from consumers.command import EXIT_INTERRUPTED, UNREACHABLE, begin, command_line, tenant_id, unreachable
from consumers.engine.reevaluation import Reevaluation
from consumers.engine.tenants import Tenants
from consumers.errors import ForeignTopic, OlderCode
from consumers.metrics import ConsumerMetrics
from consumers.ops.store_clock import StoreClock
from consumers.progress import SAY_S, say_on_stderr
from consumers.publishing.line_source import SourceUnusable, lines_of
from consumers.publishing.outbox import NotAcknowledged, open_outbox
from consumers.settings import ConsumerSettings
from service.clock import Clock
from service.config.environment import EXIT_WRONG_USE
from service.one_line import one_line
from service.store.ports.catalogue import Bucket
from service.store.ports.errors import StoreRefused
from service.store.redis.store import RedisStore

EXIT_DRIFT = 1
EXIT_UNPROVEN = 3

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


async def _audit(options: argparse.Namespace, settings: ConsumerSettings) -> int:
    drift = tenants = tickets = unproven = 0
    next_progress = time.monotonic() + SAY_S
    async with opened(settings) as store:
        if options.tenant is not None:
            await stored_tenant(store, options.tenant)
        counters = await stored_counters(store, options.tenant)
        for bucket, names in (await _tenants(store, options.tenant)).items():
            clock = await StoreClock.of(store)
            audit = TenantAudit(store, clock, await _mender(store, clock, bucket) if options.repair else None)
            async with aclosing(audited(audit, names, counters)) as results:
                async for result in results:
                    tenants += 1
                    if isinstance(result, Unproven):
                        unproven += 1
                        say_on_stderr(f"unproven: {result}")
                        continue
                    _print(result)
                    drift, tickets = drift + result.drift, tickets + result.tickets
                    if time.monotonic() >= next_progress:
                        say_on_stderr(f"so far {tenants:,} tenants, {tickets:,} tickets, {drift:,} things wrong")
                        next_progress = time.monotonic() + SAY_S
    repaired = ", all repaired" if drift and options.repair else ""
    missing = f"; {unproven:,} tenants could not be proven" if unproven else ""
    say_on_stderr(f"audited {tenants:,} tenants, {tickets:,} tickets: {drift:,} things wrong{repaired}{missing}")
    return EXIT_UNPROVEN if unproven else EXIT_DRIFT if drift else 0


async def _tenants(store: RedisStore, only: str | None) -> Mapping[Bucket, Sequence[str]]:
    if only is not None:
        return {store.bucket(only): [only]}
    return {bucket: await store.tenants(bucket) for bucket in range(store.buckets)}


async def _mender(store: RedisStore, clock: Clock, bucket: Bucket) -> Mender:
    """Repairs tickets as a consumer would, so it needs the topic id of the bucket's positions."""
    states = await store.states([bucket])
    return Reevaluation(store, Tenants(store.tenant), clock, ConsumerMetrics(), states[bucket].topic)


def _print(report: TenantReport) -> None:
    for cell in report.cells:
        part = f", part {cell.part}" if cell.part else ""
        _write(
            f"{report.tenant}: counter {cell.counter}{part}, cell {cell.cell}: {cell.stored}, should be {cell.right}"
        )
    for ticket, problem in report.wrong_tickets.items():
        _write(f"{report.tenant}: ticket {ticket} {problem}")


async def _against(options: argparse.Namespace, settings: ConsumerSettings) -> int:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(settings))
        outbox = await stack.enter_async_context(open_outbox(settings, say_on_stderr)) if options.publish else None
        against = Against(store, _write, options.tenant, None if outbox is None else outbox.send)
        async with aclosing(lines_of([options.against])) as lines:
            await against.run(lines)
        if outbox is not None:
            await outbox.flush()
    say_on_stderr(str(against.totals))
    return EXIT_DRIFT if against.totals.different else 0


def _write(line: str) -> None:
    print(one_line(line), flush=True)


async def run(options: argparse.Namespace, settings: ConsumerSettings) -> int:
    """Runs the audit or the comparison. Returns the exit status."""
    try:
        return await (_audit if options.against is None else _against)(options, settings)
    except (SourceUnusable, BadExport, StoreRefused, NothingFound) as error:
        say_on_stderr(str(error))
        return EXIT_WRONG_USE
    except (ForeignTopic, OlderCode, NotAcknowledged) as error:
        say_on_stderr(str(error))
    except UNREACHABLE as error:
        say_on_stderr(unreachable(error, settings))
    return EXIT_UNPROVEN


def main(argv: Sequence[str]) -> int:
    """The command line. Returns the exit status: 0, 1 drift found, 2 wrong use, 3 not proven or unreachable, 130."""
    options = _parse(argv)
    settings = begin("audit", options.config)
    try:
        return asyncio.run(run(options, settings))
    except KeyboardInterrupt:
        say_on_stderr("interrupted")
        return EXIT_INTERRUPTED


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parses `argv`, which begins with the program's name. Exits the process for --help and for wrong use."""
    options = _parser().parse_args(argv[1:])
    if options.publish and options.against is None:
        _parser().error("--publish needs an export: name one with --against")
    if options.repair and options.against is not None:
        _parser().error("--repair can't be combined with --against: it repairs counters, not tickets")
    return options


def _parser() -> argparse.ArgumentParser:
    whole = command_line("audit", _DESCRIPTION, SETTINGS_USED)
    whole.add_argument("--tenant", type=tenant_id, metavar="ID", help="audit or compare only this tenant")
    whole.add_argument("--repair", action="store_true", help="repair proven faults, and nothing else")
    whole.add_argument("--against", metavar="FILE", help="compare with this export; .gz is unpacked, - is stdin")
    whole.add_argument("--publish", action="store_true", help="with --against: publish the missing events")
    return whole


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
