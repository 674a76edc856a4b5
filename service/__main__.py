"""`python -m service`: wires settings, store and application, and serves until SIGTERM. Never decides an answer."""

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

SPARE = 256
"""Beside streams: answers under way, Redis, logs."""


def allow(wanted: int) -> int:
    """Raises this process's limit to `wanted` and some spare ones, or as far as it may; returns what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted + SPARE if hard == resource.RLIM_INFINITY else min(wanted + SPARE, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return soft


log = structlog.stdlib.get_logger(__name__)

GC_THRESHOLDS = (20_000, 20, 50)
"""An answer makes hundreds of objects and no cycle: by default every second answer would look for some."""

LAYOUT_RETRY_S = 1.0
"""Between looks for a store that was away at start: as often as a client polls."""


def main() -> int:
    """Returns the exit status."""
    wanted = settings.load(sys.argv)
    gc.set_threshold(*GC_THRESHOLDS)
    logs.set_up(wanted.log_level, wanted.log_format, process="service")
    allowed = allow(wanted.streams)
    if 0 <= allowed < wanted.streams:
        log.warning("fewer files may be open than streams are allowed", files=allowed, streams=wanted.streams)
    with ExitStack() as open_now:
        try:
            listeners = reserved(wanted, open_now)
        except CantListen as error:
            print(error, file=sys.stderr)
            return 1
        urls = {name: url(listener) for name, listener in zip(("url", "metrics_url"), listeners, strict=False)}
        log.info("listening", **urls, workers=wanted.workers, tzdata=timezones.version())
        timezones.log_refused()
        if wanted.workers == 1:
            return run(wanted, listeners)
        ports = [port_of(listener) for listener in listeners]
        folder = Path(open_now.enter_context(TemporaryDirectory(prefix="ticket-counts-")))
        return run_workers(wanted.workers, lambda number: run_worker(wanted, ports, number, folder), wanted.drain_s)


def reserved(wanted: ServiceSettings, open_now: ExitStack) -> list[socket.socket]:
    """The sockets of PORT and, where it is set, of SERVICE_METRICS_PORT. Raises CantListen."""
    ports = {"PORT": wanted.port, "SERVICE_METRICS_PORT": wanted.own_metrics_port}
    listeners = []
    for name, port in ports.items():
        if port is not None:
            try:
                listeners.append(open_now.enter_context(reserve(wanted.host, port, shared=wanted.workers > 1)))
            except OSError as error:
                raise CantListen(f"TICKET_COUNTS_HOST, TICKET_COUNTS_{name}: can't listen there: {error}") from None
    return listeners


class CantListen(Exception):
    """The message names the settings and says why."""


def run_worker(wanted: ServiceSettings, ports: Sequence[int], number: int, folder: Path) -> int:
    """One of several: its own socket on each port, so that the kernel spreads connections evenly."""
    with ExitStack() as open_now:
        listeners = [open_now.enter_context(listen(wanted.host, port, shared=True)) for port in ports]
        return run(wanted, listeners, SharedMetrics(folder, number))


def run(
    wanted: ServiceSettings, listeners: Sequence[socket.socket], shared_metrics: SharedMetrics | None = None
) -> int:
    """Serves on the sockets; returns the exit status."""
    for listener in listeners:
        listener.listen(BACKLOG)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            status = runner.run(serving(wanted, listeners, shared_metrics))
        except StoreRefused as refused:
            log.error("the store can't be used", problem=str(refused))
            return 1
    log.info("stopped")
    return status


async def serving(
    wanted: ServiceSettings, listeners: Sequence[socket.socket], shared_metrics: SharedMetrics | None
) -> int:
    """Opens everything, serves, closes everything; returns the exit status."""
    clock = SystemClock()
    async with open_store(wanted.redis, wanted.buckets, wanted.redis_timeout_s) as store:
        demands = DemandLimits(
            wanted.profile_pairs,
            wanted.dated_columns,
            wanted.new_pairs_per_user_per_day,
            wanted.new_pairs_per_tenant_per_hour,
        )
        queries = CountQueries(store, clock, limits=demands)
        limiter = StreamLimiter(
            wanted.streams, wanted.streams_per_user, wanted.streams_per_tenant, wanted.streams_per_address
        )
        hub = Hub(queries, limiter, clock, min(DRAIN_SPREAD_S, wanted.drain_s / 2))
        app = create_app(
            queries, store, hub, store, wanted, clock, access_log() if wanted.access_log else None,
            shared_metrics=shared_metrics,
            operations_port=None if wanted.own_metrics_port is None else port_of(listeners[1]),
        )  # fmt: skip
        server = new_server(app, wanted.drain_s, hub.drain)
        listening = hub.running(partial(listen_for_hints, wanted.redis))
        answering = nullcontext() if shared_metrics is None else shared_metrics.running()
        async with listening, answering, asyncio.TaskGroup() as tasks:
            layout = tasks.create_task(check_layout(store, server))
            await server.serve(sockets=[*listeners])
            layout.cancel()
    return 1 if layout.done() and not layout.cancelled() and not layout.result() else 0


async def check_layout(store: RedisStore, server: HttpServer) -> bool:
    """Whether the store is laid out as we are set, known once it could be asked; if it isn't, the server ends."""
    said = ""
    while True:
        try:
            await store.ensure_layout()
            return True
        except StoreUnavailable as away:
            if str(away) != said:  # once, not each second
                log.warning("the store is away", problem=str(away))
            said = str(away)
            await asyncio.sleep(LAYOUT_RETRY_S)
        except StoreRefused as refused:
            log.error("the store can't be used", problem=str(refused))
            server.end()
            return False


def access_log() -> AccessLog | None:
    """Off when lines of its level would not be written."""
    return AccessLog() if logging.getLogger(LOGGER).isEnabledFor(logging.INFO) else None


if __name__ == "__main__":
    raise SystemExit(main())
