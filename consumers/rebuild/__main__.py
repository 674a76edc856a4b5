"""`python -m consumers.rebuild`: wires a rebuild to Redis and Kafka. Counts nothing itself."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from consumers.command import EXIT_INTERRUPTED, UNREACHABLE, begin, command_line, unreachable
from consumers.errors import OlderCode, RebuildRefused
from consumers.kafka.clients import events_reader
from consumers.kafka.closing import running
from consumers.kafka.topic_metadata import describe_topics
from consumers.ops.small_server import CannotServe
from consumers.ops.store_clock import StoreClock
from consumers.progress import say_on_stderr
from consumers.rebuild.build_step import BuildStep
from consumers.rebuild.events_log import EventsLog
from consumers.rebuild.filling import Filling
from consumers.rebuild.log_checks import check_beginnings, check_policy
from consumers.rebuild.memory_budget import MemoryBudget
from consumers.rebuild.metrics import RebuildMetrics, served
from consumers.rebuild.rebuilding import Rebuilding
from consumers.settings import ConsumerSettings
from service.store.ports.errors import StoreRefused
from service.store.redis.building import RedisBuildingStore, open_building_store

SETTINGS_USED = (
    "kafka",
    "redis",
    "events_topic",
    "buckets",
    "redis_timeout_s",
    "batch_records",
    "apply_events",
    "metrics_host",
)

EXIT_REFUSED = 1


class RebuildArguments(argparse.Namespace):
    """The parsed command line."""

    config: str
    tenant: str | None
    from_store: bool
    give_up: bool
    metrics_port: int | None


async def rebuild(settings: ConsumerSettings, options: RebuildArguments) -> None:
    """Rebuilds one tenant or all. Raises RebuildRefused, and StoreUnavailable or KafkaError at the start."""
    async with open_building_store(settings.redis_url, settings.buckets, settings.redis_timeout_s) as store:
        await store.ensure_layout()
        tenants = [options.tenant] if options.tenant else await _all_tenants(store)
        async with AsyncExitStack() as clients:
            topics = await describe_topics(settings.kafka, [settings.events_topic])
            if settings.events_topic not in topics:
                raise RebuildRefused(f"there is no topic {settings.events_topic}")
            topic = topics[settings.events_topic]
            consumer = await clients.enter_async_context(running(events_reader(settings)))
            log = EventsLog(consumer, settings.events_topic)
            beginnings = await log.beginnings(range(topic.partitions))
            if not options.from_store and not options.give_up:
                check_beginnings(beginnings)
                await check_policy(settings.kafka, settings.events_topic, say_on_stderr)
            budget = MemoryBudget(store, settings.buckets)
            clock = await StoreClock.of(store)
            step = BuildStep(store, clock)
            filling = Filling(
                store,
                log,
                step,
                budget,
                say_on_stderr,
                batch_records=settings.batch_records,
                apply_events=settings.apply_events,
            )
            rebuilding = Rebuilding(
                store,
                filling,
                step,
                clock,
                topic.id or settings.events_topic,
                beginnings,
                say_on_stderr,
                from_store=options.from_store,
            )
            if options.give_up:
                await _give_up(rebuilding, tenants)
                return
            await budget.check_before(tenants)
            with served(RebuildMetrics(rebuilding, filling), settings.metrics_host, options.metrics_port):
                await rebuilding.run(tenants)


async def _give_up(rebuilding: Rebuilding, tenants: Sequence[str]) -> None:
    for name in tenants:
        if await rebuilding.give_up(name):
            say_on_stderr(f"{name}: the abandoned generation is removed")
    await rebuilding.settle()


async def _all_tenants(store: RedisBuildingStore) -> list[str]:
    return [name for bucket in range(store.buckets) for name in await store.tenants(bucket)]


def main(argv: Sequence[str]) -> int:
    """The command line. Returns the exit status: 0, 1 when it was refused, 2 for wrong use, 130 after Ctrl-C."""
    options = _parser().parse_args(argv[1:], namespace=RebuildArguments())
    settings = begin("rebuild", options.config)
    try:
        asyncio.run(rebuild(settings, options))
    except CannotServe as error:
        say_on_stderr(f"TICKET_COUNTS_METRICS_HOST, --metrics-port: {error}")
        return EXIT_REFUSED
    except (RebuildRefused, OlderCode, StoreRefused) as error:
        say_on_stderr(f"refused: {error}")
        return EXIT_REFUSED
    except UNREACHABLE as error:
        say_on_stderr(unreachable(error, settings))
        return EXIT_REFUSED
    except KeyboardInterrupt:
        say_on_stderr("interrupted; run it again to resume")
        return EXIT_INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line(
        "rebuild",
        """Counts tenants again from the log's start, beside the served counts, and swaps when both are at
the same position. Consumers and the service go on meanwhile, and readers always see complete counts. You may stop or
kill a rebuild at any time: run it again and it resumes. Redis needs memory for both generations.""",
        SETTINGS_USED,
    )
    parser.add_argument("--tenant", metavar="ID", help="rebuild only this tenant (default: all)")
    parser.add_argument(
        "--from-store",
        action="store_true",
        help="recompute from the stored tickets, for a log that is trimmed or compacted",
    )
    parser.add_argument(
        "--give-up", action="store_true", help="rebuild nothing: remove the generation of an unfinished rebuild"
    )
    parser.add_argument(
        "--metrics-port",
        metavar="PORT",
        type=int,
        help="serve /metrics on this port meanwhile (default: don't)",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
