"""`python -m service`: wires settings, store and application, and serves until SIGTERM. Never computes an answer."""

import asyncio
import gc
import logging
import resource
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
import uvloop

from service import logs, timezones
from service.clock import SystemClock
from service.config import settings
from service.config.settings import ServiceSettings
from service.process.listener import BACKLOG, listen, port_of, reserve, url
from service.process.workers import run_workers
from service.queries.column_demands import DemandLimits
from service.queries.counts import CountQueries
from service.store.client.hints import listen as listen_for_hints
from service.store.ports.errors import StoreRefused, StoreUnavailable
from service.store.redis.store import RedisStore, open_store
from service.web.app import create_app
from service.web.ops.access_log import LOGGER, AccessLog
from service.web.ops.shared_metrics import SharedMetrics
from service.web.push.hub import DRAIN_SPREAD_S, Hub
from service.web.push.stream_limiter import StreamLimiter
from service.web.server.server import HttpServer, new_server

SPARE_FILES = 256
"""File descriptors beside those of streams: requests under way, Redis, logs."""


def raise_file_limit(streams: int) -> int:
    """Raises the limit of open files to `streams` and SPARE_FILES, or to the hard limit; returns the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = streams + SPARE_FILES if hard == resource.RLIM_INFINITY else min(streams + SPARE_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return soft


log = structlog.stdlib.get_logger(__name__)

GC_THRESHOLDS = (20_000, 20, 50)
"""An answer allocates hundreds of objects and no cycle: with Python's thresholds every second answer would start a
collection in vain."""

LAYOUT_RETRY_S = 1.0
"""Pause between tries to reach a store that was down at start: the interval at which clients poll."""


def main() -> int:
    """Runs the service; returns the exit status."""
    config = settings.load(sys.argv)
    gc.set_threshold(*GC_THRESHOLDS)
    gc.freeze()  # modules live for good: looking through them makes a full collection 15 to 24 ms longer
    logs.set_up(config.log_level, config.log_format, process="service")
    max_files = raise_file_limit(config.streams)
    if 0 <= max_files < config.streams:
        log.warning("fewer files may be open than streams are allowed", files=max_files, streams=config.streams)
    with ExitStack() as open_now:
        try:
            listeners = bound_sockets(config, open_now)
        except CantListen as error:
            print(error, file=sys.stderr)
            return 1
        urls = {name: url(listener) for name, listener in zip(("url", "metrics_url"), listeners, strict=False)}
        log.info("listening", **urls, workers=config.workers, tzdata=timezones.version())
        timezones.log_refused()
        if config.workers == 1:
            return run(config, listeners)
        ports = [port_of(listener) for listener in listeners]
        folder = Path(open_now.enter_context(TemporaryDirectory(prefix="ticket-counts-")))
        return run_workers(config.workers, lambda number: run_worker(config, ports, number, folder), config.drain_s)


def bound_sockets(config: ServiceSettings, open_now: ExitStack) -> list[socket.socket]:
    """Returns sockets bound to PORT and, where it is set, to SERVICE_METRICS_PORT. Raises CantListen."""
    ports = {"PORT": config.port, "SERVICE_METRICS_PORT": config.own_metrics_port}
    listeners = []
    for name, port in ports.items():
        if port is not None:
            try:
                listeners.append(open_now.enter_context(reserve(config.host, port, shared=config.workers > 1)))
            except OSError as error:
                raise CantListen(f"TICKET_COUNTS_HOST, TICKET_COUNTS_{name}: can't listen there: {error}") from None
    return listeners


class CantListen(Exception):
    """A port can't be bound. The message names the settings and gives the reason."""


def run_worker(config: ServiceSettings, ports: Sequence[int], number: int, folder: Path) -> int:
    """Runs one of several workers. Each has its own socket on each port: the kernel spreads connections evenly."""
    with ExitStack() as open_now:
        listeners = [open_now.enter_context(listen(config.host, port, shared=True)) for port in ports]
        return run(config, listeners, SharedMetrics(folder, number))


def run(
    config: ServiceSettings, listeners: Sequence[socket.socket], shared_metrics: SharedMetrics | None = None
) -> int:
    """Serves on the sockets until the process is told to end; returns the exit status."""
    for listener in listeners:
        listener.listen(BACKLOG)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            status = runner.run(serving(config, listeners, shared_metrics))
        except StoreRefused as refused:
            log.error("the store can't be used", problem=str(refused))
            return 1
    log.info("stopped")
    return status


async def serving(
    config: ServiceSettings, listeners: Sequence[socket.socket], shared_metrics: SharedMetrics | None
) -> int:
    """Opens the store, the hub and the server, serves, and closes them; returns the exit status."""
    clock = SystemClock()
    async with open_store(config.redis_url, config.buckets, config.redis_timeout_s) as store:
        demands = DemandLimits(
            config.profile_pairs,
            config.dated_columns,
            config.new_pairs_per_user_per_day,
            config.new_pairs_per_tenant_per_hour,
        )
        queries = CountQueries(store, clock, limits=demands)
        limiter = StreamLimiter(
            config.streams, config.streams_per_user, config.streams_per_tenant, config.streams_per_address
        )
        hub = Hub(queries, limiter, clock, min(DRAIN_SPREAD_S, config.drain_s / 2))
        app = create_app(
            queries, store, hub, store, config, clock, access_log() if config.access_log else None,
            shared_metrics=shared_metrics,
            operations_port=None if config.own_metrics_port is None else port_of(listeners[1]),
        )  # fmt: skip
        server = new_server(app, config.drain_s, hub.drain)
        listening = hub.running(partial(listen_for_hints, config.redis_url))
        answering = nullcontext() if shared_metrics is None else shared_metrics.running()
        async with listening, answering, asyncio.TaskGroup() as tasks:
            layout = tasks.create_task(check_layout(store, server))
            await server.serve(sockets=[*listeners])
            layout.cancel()
    return 1 if layout.done() and not layout.cancelled() and not layout.result() else 0


async def check_layout(store: RedisStore, server: HttpServer) -> bool:
    """Checks that the store's layout is the one of the settings, as soon as the store answers.

    Returns whether it is. If it isn't, ends the server.
    """
    last_problem = ""
    while True:
        try:
            await store.ensure_layout()
            return True
        except StoreUnavailable as away:
            if str(away) != last_problem:  # one line, not one each second
                log.warning("the store is away", problem=str(away))
            last_problem = str(away)
            await asyncio.sleep(LAYOUT_RETRY_S)
        except StoreRefused as refused:
            log.error("the store can't be used", problem=str(refused))
            server.end()
            return False


def access_log() -> AccessLog | None:
    """Returns the access log, or None when the log level suppresses its lines."""
    return AccessLog() if logging.getLogger(LOGGER).isEnabledFor(logging.INFO) else None


if __name__ == "__main__":
    raise SystemExit(main())
