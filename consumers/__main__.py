"""`python -m consumers`: builds every part once, runs them in one task group, and stops them in order."""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from redis.exceptions import ResponseError

from consumers.audit.cycle import AuditSchedule
from consumers.backfill.backfiller import Backfiller
from consumers.backfill.on_demand_columns import OnDemandColumns
from consumers.catalogue_sync.catalogue_log import CatalogueLog
from consumers.catalogue_sync.catalogue_reader import CatalogueReader
from consumers.catalogue_sync.sync import CatalogueSync
from consumers.coordination.leases import Leases
from consumers.coordination.live_work import LiveWork
from consumers.coordination.store_runs import StoreRuns
from consumers.dead_letters.sender import DeadLetters, FloodGuard
from consumers.engine.away import AwayBuckets
from consumers.engine.batch_processor import BatchProcessor
from consumers.engine.event_step import EventStep
from consumers.engine.reevaluation import Reevaluation
from consumers.engine.rewinding import Rewinding
from consumers.engine.tenants import Tenants
from consumers.errors import Flood, ForeignTopic, Incurable, LogShrank, OlderCode, RetentionOvertook, TopicsUnusable
from consumers.ingest.assignment import Assignment
from consumers.ingest.freshness import Freshness
from consumers.ingest.poll import Poll
from consumers.ingest.timers import Timers
from consumers.ingest.topic_identity import TopicIds, check_same, check_store, current_ids
from consumers.kafka.clients import catalogue_consumer, dead_letter_producer, events_consumer
from consumers.kafka.fetches import Fetches
from consumers.kafka.topics import ensure_topics
from consumers.kafka_errors import RETRIED
from consumers.metrics import ConsumerMetrics
from consumers.ops.health import Health, serve
from consumers.ops.liveness import Liveness
from consumers.ops.small_server import CannotServe
from consumers.ops.store_clock import StoreClock
from consumers.ops.store_watch import StoreWatch
from consumers.retrying import Retrying
from consumers.settings import ConsumerSettings, load
from service import logs, timezones
from service.store.ports.errors import StoreDenied, StoreRefused
from service.store.redis.store import RedisStore, open_store

log = structlog.get_logger()

STOPPING: Mapping[type[BaseException], str] = {
    Flood: "flood",
    ForeignTopic: "topic",
    OlderCode: "release",
    Incurable: "kafka",
    LogShrank: "shrank",
    RetentionOvertook: "retention",
    ResponseError: "store",
    StoreDenied: "store",
    StoreRefused: "store",
    TopicsUnusable: "topics",
}
"""Errors that an operator has to resolve, with their `reason` in metrics. The process stays up, unready, and reports
the error: a restart alone would change nothing."""

STOP_LIMIT_S = 3.0
"""Longest wait for a Kafka client to stop: a broker that hangs must not delay SIGTERM."""

GC_THRESHOLDS = (50_000, 20, 50)
"""A batch creates tens of thousands of objects and hardly a cycle. With the defaults the garbage collector took a
seventh of the CPU, in pauses of 60 ms."""


async def main(settings: ConsumerSettings) -> None:
    """Runs until SIGTERM or SIGINT, then finishes the current round."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics, health = ConsumerMetrics(), Health()
    metrics.ready.set_function(lambda: not health.unready())
    with serve(health, metrics.registry, settings.metrics_host, settings.metrics_port) as port:
        log.info("consumer starts", metrics_port=port, kafka=settings.kafka, tzdata=timezones.version())
        timezones.log_refused()
        work = asyncio.create_task(_work(settings, metrics, health, stop))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        # The loop ends by itself. A call that still waits for Redis or Kafka is cancelled: its records are read again.
        await asyncio.wait((work,), timeout=settings.drain_s)
        work.cancel()
        await asyncio.gather(work, stopping, return_exceptions=True)
        if not work.cancelled() and (error := work.exception()) is not None:
            raise error
    log.info("consumer stopped")


async def _work(settings: ConsumerSettings, metrics: ConsumerMetrics, health: Health, stop: asyncio.Event) -> None:
    try:
        async with open_store(settings.redis_url, settings.buckets, settings.redis_timeout_s) as store:
            topics, clock = await _wait_for_servers(settings, store, health)
            await _run(settings, store, clock, topics, metrics, health, stop)
    except* tuple(STOPPING) as group:
        health.stopped = "; ".join(str(error) for error in group.exceptions)
        metrics.flood.set(group.subgroup(Flood) is not None)
        for error in group.exceptions:
            reason = next(name for kind, name in STOPPING.items() if isinstance(error, kind))
            metrics.stopped.labels(reason).set(1)
        log.critical("stopped until an operator has decided", reason=health.stopped)
        await stop.wait()


async def _wait_for_servers(
    settings: ConsumerSettings, store: RedisStore, health: Health
) -> tuple[TopicIds, StoreClock]:
    """Waits for Redis and Kafka and creates absent topics.

    Returns the ids of the events and catalogue topics, and the clock to count by.
    """
    retrying = Retrying("start", health.trouble)
    while True:
        try:
            await store.ensure_layout()
            await ensure_topics(settings)
            ids = await current_ids(settings)
            await check_store(settings, store, ids)
            clock = await StoreClock.of(store)
            retrying.succeeded()
            return ids, clock
        except RETRIED as error:
            await retrying.pause(error)


async def _run(
    settings: ConsumerSettings,
    store: RedisStore,
    clock: StoreClock,
    topics: TopicIds,
    metrics: ConsumerMetrics,
    health: Health,
    stop: asyncio.Event,
) -> None:
    retrying = partial(Retrying, note=health.trouble)
    async with AsyncExitStack() as clients:
        events = await clients.enter_async_context(_running(events_consumer(settings, health.trouble), health))
        catalogue_topic = await clients.enter_async_context(
            _running(catalogue_consumer(settings, health.trouble), health)
        )
        producer = await clients.enter_async_context(_running(dead_letter_producer(settings), health))
        catalogue_partition = TopicPartition(settings.catalogue_topic, 0)
        catalogue_topic.assign([catalogue_partition])

        catalogue = CatalogueLog()
        catalogue_sync = CatalogueSync(store, catalogue, metrics)
        reader = CatalogueReader(
            catalogue_topic,
            settings.catalogue_topic,
            catalogue,
            catalogue_sync,
            store,
            _dead_letters(settings, producer, metrics),
            retrying("catalogue"),
        )
        tenants = Tenants(catalogue_sync.synchronize, reader.catch_up)
        dead_letters = _dead_letters(settings, producer, metrics)
        step = EventStep(store, tenants, dead_letters, clock, metrics, topics.events)
        reevaluation = Reevaluation(store, tenants, clock, metrics, topics.events)
        away = AwayBuckets(store, topics.events, range(settings.buckets), metrics, health.trouble)
        assignment = Assignment(events, away, metrics, settings.accepted_starts)
        fetches, live = Fetches(events), LiveWork()
        poll = Poll(
            events,
            assignment,
            away,
            BatchProcessor(store, step, tenants, dead_letters, away, settings.apply_events),
            Rewinding(store, step, catalogue_sync, metrics, away),
            clock,
            metrics,
            settings.batch_records,
            health.stored,
            partial(check_same, settings, topics),
            Freshness(fetches, metrics),
            retrying("events"),
            live,
        )
        liveness = Liveness(health, reader, assignment, fetches, Fetches(catalogue_topic), catalogue_partition)
        on_demand = OnDemandColumns(
            store, catalogue_sync, clock, metrics, settings.profile_pairs, settings.dated_columns
        )
        leases = Leases(store)
        timers = Timers(store, reevaluation, leases, clock, metrics, range(settings.buckets), retrying("timers"), live)
        audits = AuditSchedule(
            store,
            leases,
            clock,
            metrics,
            range(settings.buckets),
            settings.audit_every_s,
            retrying("audit"),
            live,
        )
        backfiller = Backfiller(
            store, catalogue_sync, reevaluation, on_demand, leases, metrics, retrying("backfill"), live, away
        )
        async with leases.given_back(), asyncio.TaskGroup() as tasks:
            others = [
                tasks.create_task(reader.run(), name="catalogue"),
                tasks.create_task(liveness.run(), name="liveness"),
                tasks.create_task(backfiller.run(), name="backfiller"),
                tasks.create_task(timers.run(), name="timers"),
                tasks.create_task(clock.follow(store, metrics), name="clock"),
                tasks.create_task(audits.run(), name="audits"),
                tasks.create_task(away.watch(), name="away buckets"),
                tasks.create_task(StoreRuns(store, catalogue_sync).run(), name="store runs"),
                tasks.create_task(StoreWatch(store, health, metrics).run(), name="store watch"),
            ]
            await reader.readable.wait()
            events.subscribe([settings.events_topic], listener=assignment)
            await poll.run(stop)
            for task in others:
                task.cancel()


def _dead_letters(settings: ConsumerSettings, producer: AIOKafkaProducer, metrics: ConsumerMetrics) -> DeadLetters:
    guard = FloodGuard(settings.bad_records_in_a_row, settings.bad_records_window, settings.bad_records_share)
    return DeadLetters(producer, settings.dead_letter_topic, metrics, guard, settings.catalogue_topic)


@asynccontextmanager
async def _running(
    client: AIOKafkaConsumer | AIOKafkaProducer, health: Health
) -> AsyncIterator[AIOKafkaConsumer | AIOKafkaProducer]:
    retrying = Retrying("start", health.trouble)
    while True:
        try:
            await client.start()
            retrying.succeeded()
            break
        except RETRIED as error:
            await retrying.pause(error)
    try:
        yield client
    finally:
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await client.stop()
        except (KafkaError, TimeoutError) as error:
            log.warning("a Kafka client did not stop in time", error=repr(error))


def run() -> None:
    """Reads the settings, then runs `main`. Exits with status 1 when the metrics port can't be opened."""
    settings = load(sys.argv)
    gc.set_threshold(*GC_THRESHOLDS)
    gc.freeze()  # modules live for good: a full collection need not look through them
    logs.set_up(settings.log_level, settings.log_format, "consumers")
    try:
        asyncio.run(main(settings))
    except CannotServe as error:
        print(f"TICKET_COUNTS_METRICS_HOST, TICKET_COUNTS_METRICS_PORT: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    run()
